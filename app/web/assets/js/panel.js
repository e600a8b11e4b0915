// See the parts beside.
