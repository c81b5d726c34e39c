"""The daemon: the same round as `sync`, again and again.

`worker` is one mailbox's thread; `daemon` starts and ends them, and listens to signals.
"""
