// SPDX-License-Identifier: MIT
#include "runtime-args.h"

#include <stddef.h>
#include <string.h>

/* The options of runc and crun, of create, run and restore alike. */
static const struct option {
	const char *name;
	char letter;
	bool value;
} options[] = {
	{ "bundle", 'b', true },
	{ "config", 'f', true },
	{ "console-socket", 0, true },
	{ "pid-file", 0, true },
	{ "pidfd-socket", 0, true },
	{ "preserve-fds", 0, true },
	{ "detach", 'd', false },
	{ "keep", 0, false },
	{ "no-new-keyring", 0, false },
	{ "no-pivot", 0, false },
	{ "no-subreaper", 0, false },
	{ "image-path", 0, true },
	{ "work-path", 0, true },
	{ "parent-path", 0, true },
	{ "manage-cgroups-mode", 0, true },
	{ "empty-ns", 0, true },
	{ "lsm-profile", 0, true },
	{ "lsm-mount-context", 0, true },
	{ "tcp-established", 0, false },
	{ "tcp-close", 0, false },
	{ "ext-unix-sk", 0, false },
	{ "shell-job", 0, false },
	{ "file-locks", 0, false },
	{ "auto-dedup", 0, false },
	{ "lazy-pages", 0, false },
};

static bool is_one_of(const char *word, const char *const *all)
{
	for (; *all; all++)
		if (strcmp(word, *all) == 0)
			return true;
	return false;
}

static bool asks_for_help(const char *word)
{
	static const char *const words[] = { "--help", "-h", "-help", "-?", "--usage", NULL };

	return is_one_of(word, words);
}

/* *value is the text joined to the option, or NULL. */
static const struct option *find_option(const char *word, const char **value)
{
	const char *name = word + 1 + (word[1] == '-');
	size_t n = strcspn(name, "=");

	*value = name[n] ? name + n + 1 : NULL;
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		const struct option *o = &options[i];

		if (word[1] == '-' ? strlen(o->name) == n && strncmp(o->name, name, n) == 0
				   : o->letter && name[0] == o->letter && !name[1])
			return o;
	}
	return NULL;
}

static bool wrong(struct oci_words *read, const char *word, const char *reason)
{
	read->wrong = word;
	read->reason = reason;
	return false;
}

static bool take_value(struct oci_words *read, const struct option *option, const char *word,
		       const char *value)
{
	if (strcmp(option->name, "bundle") == 0) {
		if (!*value)
			return wrong(read, word, "the bundle is missing");
		read->bundle = value;
	}
	/* The hook reads what the bundle has. */
	if (strcmp(option->name, "config") == 0 && strcmp(value, "config.json") != 0)
		return wrong(read, word, "only config.json of the bundle can be used");
	return true;
}

/* Returns the number of words that were read; 0: it is wrong. */
static size_t take_runtime_option(struct oci_words *read, char **words)
{
	const char *value;
	const struct option *option = find_option(*words, &value);

	if (!option) {
		wrong(read, *words,
		      (*words)[1] == '-' ? "unknown option; options are to be written in full"
					 : "unknown option; one letter alone, or --NAME, is expected");
		return 0;
	}
	if (!option->value)
		return 1;
	if (!value && !words[1])
		return wrong(read, *words,
			     option->letter == 'b' ? "the bundle is missing" : "its value is missing");
	return take_value(read, option, *words, value ? value : words[1]) ? 1 + !value : 0;
}

bool read_oci_words(char **words, struct oci_words *read)
{
	*read = (struct oci_words){ .bundle = "." };
	while (*words && **words == '-' && (*words)[1]) {
		size_t n;

		if (strcmp(*words, "--") == 0) {
			words++;
			break;
		}
		read->help = asks_for_help(*words);
		if (read->help)
			return true;
		n = take_runtime_option(read, words);
		if (!n)
			return false;
		words += n;
	}
	if (*words && words[1])
		return wrong(read, words[1], "nothing may follow the name of the container");
	return true;
}
