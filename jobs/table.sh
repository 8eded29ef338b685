# Reads a manifest as cognate does, for scripts that take its models one by one.

# Usage: models_of MODELS.tsv: a line a model, its label, a tab and its path. A label names a file, too: slashes and
# blanks in it become underscores, and later ones of the same label get -2, -3, ... behind.
models_of() {
	awk -F '\t' '
		{ sub(/\r$/, "") }
		/^#/ || /^[ \t]*$/ { next }
		!seen { for (i = 1; i <= NF; i++) column[$i] = i; seen = 1; next }
		{
			path = $column["path"]
			label = "label" in column ? $column["label"] : ""
			if (label == "") { label = path; sub(/\/+$/, "", label); sub(/.*\//, "", label) }
			gsub(/[\/ =]/, "_", label)
			if (count[label]++) label = label "-" count[label]
			print label "\t" path
		}' "$1"
}

# Usage: place_of MODELS.tsv PATH: where a path of the table lies. Relative ones start at the table; what is not there is
# a name in the Hugging Face cache.
place_of() {
	case $2 in
	/*) echo "$2" ;;
	*) if [ -e "$(dirname "$1")/$2" ]; then echo "$(dirname "$1")/$2"; else echo "$2"; fi ;;
	esac
}
