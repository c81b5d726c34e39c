"""How it is, told to the outside: programs that watch nosend, and systemd."""
