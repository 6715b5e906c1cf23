"""Command line of Corral: talks to a cluster over HTTP, and starts a local one."""
