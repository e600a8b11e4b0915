"""What authors wrote: lessons and exercises, validated and held in memory."""
