"""What a grid will cost before anything runs: operations, time, memory, disk, and the request to a cluster."""
