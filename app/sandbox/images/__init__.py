"""Images as root filesystems: what `sandboxes/<image>/` says, unpacked without root and without installing anything."""
