/* SPDX-License-Identifier: MIT */
/*
 * The description of a command. Each has one table of options, and everything comes from it. The parser
 * and the help use it directly. A test compares the man page and the completion with the help.
 */
#ifndef IDM_CLI_COMMON_COMMAND_H
#define IDM_CLI_COMMON_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "option-names.h"

struct option_row {
	int letter;	      /* the short option, or a number from LONG_ONLY on */
	const char *name;     /* the long option */
	const char *argument; /* NULL: none; "a|b": one of these words */
	const char *help;     /* lines after the first are indented by the help */
};

#define LONG_ONLY 256

struct command {
	const char *name;
	const char *operands;		  /* as in the usage line */
	const char *summary;		  /* one line */
	const char *details;		  /* more lines for "help COMMAND" */
	const struct option_row *options; /* ends with a row without a name */
	bool options_first;		  /* arguments after the first operand are no options */
	bool foreign_values;		  /* another program checks the values of options */
	enum front_end front;		  /* whose options hints name */
	int (*run)(int argc, char **argv);
};

extern const struct command command_mount, command_umount, command_list, command_check, command_map,
	command_explain, command_cure, command_overlay, command_apply, command_undo, command_bundle,
	command_run, command_oci_hook, command_oci_runtime;

/* All commands, in the order of the help; ends with NULL. */
extern const struct command *const commands[];

/* ---- reading a command line ---- */

#define MOST_OPTIONS 40

struct arguments {
	const struct command *command;
	int argc;
	char **argv;
	const char *value; /* of the option that next_command_option() returned */
};

/* Results of next_command_option() that are not letters. */
enum {
	OPTIONS_END = 0,
	OPTION_WRONG = -1, /* it has been reported */
	OPTION_HELP = -2,  /* --help, which has been answered */
};

/* Returns the letter of the next option, or one of the above. Options may be between operands, up to
 * "--". */
int next_command_option(struct arguments *a);

/* After the last option: the operands in *operands, and their number. */
size_t operands(const struct arguments *a, char ***operands);
/* Reports that the operands are not those of the usage line, which `expected` names. Returns USAGE. */
int report_operands(const struct arguments *a, const char *expected);

void print_help(const struct command *command);

#endif
