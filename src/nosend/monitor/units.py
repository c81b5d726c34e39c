"""The units for systemd, as `nosend init --systemd` writes them: the daemon, or a timer with one round."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def units(program: Path, config: Path) -> dict[str, str]:
    """Give each unit's text by its file name. `program` and `config` are whole paths."""
    command = f"{_quoted(program)} --config {_quoted(config)}"
    hardening = _HARDENING.format(folder=config.parent)
    return {
        "nosend.service": _SERVICE.format(command=command, hardening=hardening),
        "nosend-sync.service": _SYNC.format(command=command, hardening=hardening),
        "nosend-sync.timer": _TIMER,
    }


def _quoted(path: Path) -> str:
    """Write a path as a word of ExecStart (systemd.service(5), "Command lines")."""
    text = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{text}"' if " " in text or "'" in text or '"' in text else text


_SERVICE = """\
# The daemon. Either this one or nosend-sync.timer, not both: one waits for the other then.
[Unit]
Description=nosend: keeps the list of Amazon buyers who must not be messaged
Wants=network-online.target
After=network-online.target
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={command} watch
ExecReload=/bin/kill -HUP $MAINPID
# fed only after a server has answered, while no worker hangs
WatchdogSec=30min
Restart=on-failure
RestartSec=10
# wrong configuration: a restart would not mend it
RestartPreventExitStatus=2
TimeoutStopSec=20
{hardening}
[Install]
WantedBy=multi-user.target
"""
_SYNC = """\
# One round, started by nosend-sync.timer.
[Unit]
Description=nosend: one look at the mailboxes
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart={command} sync
TimeoutStartSec=infinity
{hardening}"""
_TIMER = """\
[Unit]
Description=nosend: a look at the mailboxes every ten minutes

[Timer]
OnBootSec=2min
OnUnitInactiveSec=10min
RandomizedDelaySec=30

[Install]
WantedBy=timers.target
"""
_HARDENING = """
# NOSEND_PASSWORD=... (password_env) in a file of mode 0600 that only root reads; or, better, a credential:
EnvironmentFile=-{folder}/environment
#LoadCredential=nosend-password:{folder}/password
# database = "/var/lib/nosend/nosend.db" in the configuration
StateDirectory=nosend
StateDirectoryMode=0700
WorkingDirectory=%S/nosend
UMask=0077
DynamicUser=yes
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
ProtectProc=invisible
ProcSubset=pid
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
PrivateDevices=yes
PrivateTmp=yes
PrivateUsers=yes
RemoveIPC=yes
KeyringMode=private
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
"""
