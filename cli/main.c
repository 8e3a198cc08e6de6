// SPDX-License-Identifier: MIT
/* The command: one table finds the function of a name. */
#include <stdio.h>
#include <string.h>

#include "cli/common/command.h"
#include "cli/common/report.h"
#include "cli/common/standard-fds.h"
#include "cli/common/suggest.h"
#include "oci/runtime.h"

const struct command *const commands[] = {
	&command_mount,	  &command_umount, &command_list,     &command_check,	    &command_map,
	&command_explain, &command_cure,   &command_overlay,  &command_apply,	    &command_undo,
	&command_bundle,  &command_run,	   &command_oci_hook, &command_oci_runtime, NULL,
};

static const struct command *find_command(const char *name)
{
	for (const struct command *const *c = commands; *c; c++)
		if (strcmp((*c)->name, name) == 0)
			return *c;
	return NULL;
}

static int print_overview(void)
{
	printf("usage: idmount COMMAND [OPTION]... [OPERAND]...\n\n"
	       "ID-mapped mounts: files appear under other owners at another place, without a chown.\n\n");
	for (const struct command *const *c = commands; *c; c++)
		printf("  %-11s %s\n", (*c)->name, (*c)->summary);
	printf("  %-11s %s\n"
	       "\n"
	       "A map is DISK:SEEN[:COUNT] entries: files of DISK appear as SEEN's. \"idmount help mount\"\n"
	       "explains them. Exit status: 0 success, 1 failure, 2 wrong usage.\n",
	       "help", "explain a command");
	return finish_output(DONE);
}

/* An option of runc and crun before their command: engines begin with one. */
static bool is_runtime_option(const char *word)
{
	static const char *const options[] = {
		"--log",   "--log-format",     "--log-level",	   "--root",
		"--debug", "--cgroup-manager", "--systemd-cgroup", NULL
	};
	size_t n = strcspn(word, "=");

	for (const char *const *option = options; *option; option++)
		if (strlen(*option) == n && strncmp(word, *option, n) == 0)
			return true;
	return false;
}

static int unknown_command(const char *name)
{
	static const char *const options[] = { "--help", "--version", NULL };
	const char *kind = *name == '-' ? "option" : "command";
	struct suggestion s = { .word = name };

	if (is_runtime_option(name))
		return report_usage("%s: unknown %s; as the OCI runtime of an engine, the program is %s",
				    name, kind, OCI_RUNTIME_NAME);
	for (const struct command *const *c = commands; *c; c++)
		suggest_word(&s, (*c)->name);
	suggest_words(&s, options);
	if (s.best)
		return report_usage("%s: unknown %s; did you mean \"%s\"?", name, kind, s.best);
	return report_usage("%s: unknown %s; see \"idmount --help\"", name, kind);
}

static int help(int argc, char **argv)
{
	const struct command *command;

	if (argc < 2)
		return print_overview();
	command = find_command(argv[1]);
	if (!command)
		return unknown_command(argv[1]);
	print_help(command);
	return finish_output(DONE);
}

static int run_command(const struct command *command, int argc, char **argv)
{
	char prefix[64];
	int status;

	snprintf(prefix, sizeof(prefix), "idmount: %s", command->name);
	report_as(prefix);
	set_front_end(command->front);
	status = finish_output(command->run(argc, argv));
	report_as("idmount");
	return status;
}

/*
 * Engines call a runtime by its path. No option of this program can come between that and the runtime's
 * arguments. A handler's name may follow a dot.
 */
static bool is_called(const char *path, const char *name)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	size_t n = strlen(name);

	if (!path)
		return false;
	path = slash ? slash + 1 : path;
	return strncmp(path, name, n) == 0 && (!path[n] || path[n] == '.');
}

int main(int argc, char **argv)
{
	const struct command *command;

	if (open_standard_fds() != DONE)
		return FAILED;
	if (is_called(argv[0], OCI_RUNTIME_NAME))
		return run_command(&command_oci_runtime, argc, argv);
	if (argc < 2) {
		report_usage("a command is missing; see \"idmount --help\"");
		return USAGE;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("idmount %s\n", idm_version());
		return finish_output(DONE);
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return print_overview();
	if (strcmp(argv[1], "help") == 0)
		return help(argc - 1, argv + 1);
	command = find_command(argv[1]);
	return command ? run_command(command, argc - 1, argv + 1) : unknown_command(argv[1]);
}
