"""The script that copies credentials to where only root can reach them, for services to mount into their own view.

LoadCredential= would mount a file system for each run where the whole host sees it, and systemd looks at all mounts
whenever one changes: 200 starts at once took eleven times as long as without (decision 0023). A mount that only the
service sees costs next to nothing; but it leaves a file's mode as it is, so the copy is readable for everybody, in a
folder that nobody but root can enter. systemd itself decrypts the encrypted ones, for the script.
"""

from __future__ import annotations

# Its arguments: the folder, then NAME=FILE for each credential. Each copy is replaced in one step, and one whose file
# is gone is removed: no run gets an old secret. The exit code is 1 if a file is missing.
SECRETS_SCRIPT = (
    'umask 077; mkdir -p "$1"; chmod 700 "$1"; cd "$1"; shift; names=; missing=; '
    'copy() { cat "$2" >".$1" || return; chmod 444 ".$1"; mv -f ".$1" "$1"; names="$names $1 "; }; '
    'for credential; do file=${credential#*=}; copy "${credential%%=*}" "$file" || missing="$missing $file"; done; '
    'for file in "${CREDENTIALS_DIRECTORY:-/nowhere}"/*; do [ ! -f "$file" ] || copy "${file##*/}" "$file"; done; '
    'for old in * .[!.]*; do case "$names" in *" $old "*) ;; *) rm -f "$old" ;; esac; done; '
    '[ -z "$missing" ] || { echo "<3>missing:$missing"; exit 1; }'
)
