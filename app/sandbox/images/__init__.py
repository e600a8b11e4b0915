"""Images as root filesystems: what `sandboxes/<image>/` says, unpacked below `SOTY_HOME/images` without root and without installing."""
