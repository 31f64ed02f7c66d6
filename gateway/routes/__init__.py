"""Routes of the channels: read the message, hand it on, put the answer into the channel's own words."""
