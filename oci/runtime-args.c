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

static bool is_one_of(const char *arg, const char *const *all)
{
	for (; *all; all++)
		if (strcmp(arg, *all) == 0)
			return true;
	return false;
}

static bool asks_for_help(const char *arg)
{
	static const char *const words[] = { "--help", "-h", "-help", "-?", "--usage", NULL };

	return is_one_of(arg, words);
}

/* *value is the text joined to the option, or NULL. */
static const struct option *find_option(const char *arg, const char **value)
{
	const char *name = arg + 1 + (arg[1] == '-');
	size_t n = strcspn(name, "=");

	*value = name[n] ? name + n + 1 : NULL;
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		const struct option *o = &options[i];

		if (arg[1] == '-' ? strlen(o->name) == n && strncmp(o->name, name, n) == 0
				  : o->letter && name[0] == o->letter && !name[1])
			return o;
	}
	return NULL;
}

static bool wrong(struct runtime_args *args, const char *arg, const char *reason)
{
	args->wrong = arg;
	args->reason = reason;
	return false;
}

static bool set_value(struct runtime_args *args, const struct option *option, const char *arg,
		      const char *value)
{
	if (strcmp(option->name, "bundle") == 0) {
		if (!*value)
			return wrong(args, arg, "the bundle is missing");
		args->bundle = value;
	}
	/* The hook reads what the bundle has. */
	if (strcmp(option->name, "config") == 0 && strcmp(value, "config.json") != 0)
		return wrong(args, arg, "expected config.json of the bundle");
	return true;
}

/* Returns the number of arguments that were read, or 0 if one is wrong. */
static size_t parse_runtime_option(struct runtime_args *args, char **argv)
{
	const char *value;
	const struct option *option = find_option(*argv, &value);

	if (!option) {
		wrong(args, *argv,
		      (*argv)[1] == '-' ? "unknown option; expected its full name"
					: "unknown option; expected one letter, or --NAME");
		return 0;
	}
	if (!option->value)
		return 1;
	if (!value && !argv[1])
		return wrong(args, *argv,
			     option->letter == 'b' ? "the bundle is missing" : "its value is missing");
	return set_value(args, option, *argv, value ? value : argv[1]) ? 1 + !value : 0;
}

bool parse_runtime_args(char **argv, struct runtime_args *args)
{
	*args = (struct runtime_args){ .bundle = "." };
	while (*argv && **argv == '-' && (*argv)[1]) {
		size_t n;

		if (strcmp(*argv, "--") == 0) {
			argv++;
			break;
		}
		args->help = asks_for_help(*argv);
		if (args->help)
			return true;
		n = parse_runtime_option(args, argv);
		if (!n)
			return false;
		argv += n;
	}
	if (*argv && argv[1])
		return wrong(args, argv[1], "expected no argument after the name of the container");
	return true;
}
