# secret VARIABLE sets a variable from the file whose path is in VARIABLE_FILE, if
# that is set. A secret that can't be used ends the script with one line.
secret() {
	eval "value=\${$1:-} file=\${$1_FILE:-}"
	[ -n "$file" ] || return 0
	[ -z "$value" ] || unusable "$1 and $1_FILE are both set: unset one of them"
	[ ! -d "$file" ] || unusable "$1_FILE: the path is a folder: give the path of a file"
	[ -r "$file" ] || unusable "$1_FILE: user $(id -u) can't read the file: chmod 444 it, in a folder of mode 700"
	# Removes the line break at the end.
	value=$(cat "$file")
	[ -n "$value" ] || unusable "$1_FILE: the file is empty: write the secret into it, or unset the variable"
	# The official image of PostgreSQL would take a carriage return as a part of the password.
	[ "$value" = "$(printf '%s' "$value" | tr -d '\r\n')" ] || unusable "$1_FILE: the file has more than one line, or line breaks of Windows: write the secret into it as one line of a Unix text file"
	eval "$1=\$value"
	unset "$1_FILE"
	export "$1"
}

unusable() {
	echo "$(basename "$0" .sh): $1" >&2
	exit 1
}
