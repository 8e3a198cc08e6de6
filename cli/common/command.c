// SPDX-License-Identifier: MIT
#include "command.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "idmount.h"
#include "lib/base/lowerdir.h"
#include "report.h"
#include "suggest.h"

/* Every command has this option, so no table has it. */
static const struct option_row help_row = { 'h', "help", NULL, "show this help" };

static const struct option_row *find_row(const struct command *command, int letter)
{
	for (const struct option_row *row = command->options; row->name; row++)
		if (row->letter == letter)
			return row;
	return NULL;
}

/* The table in getopt's own form. */
static void fill_getopt(const struct command *command, struct option *longs, char *letters)
{
	size_t n = 0;

	if (command->options_first)
		*letters++ = '+';
	*letters++ = ':'; /* this file reports the error */
	for (const struct option_row *row = command->options;; row++) {
		const struct option_row *r = row->name ? row : &help_row;

		longs[n++] = (struct option){ r->name, r->argument ? 1 : 0, NULL, r->letter };
		if (r->letter < LONG_ONLY) {
			*letters++ = (char)r->letter;
			if (r->argument)
				*letters++ = ':';
		}
		if (r == &help_row)
			break;
	}
	longs[n] = (struct option){ 0 };
	*letters = '\0';
}

/* Returns the argument that getopt rejected, without a value joined to it. */
static const char *wrong_argument(const struct arguments *a, char *buf, size_t size)
{
	/* musl's optind is one larger where the value of a letter is missing. */
	const char *text = a->argv[(optind > a->argc ? a->argc : optind) - 1];

	if (optopt && optopt < LONG_ONLY && strncmp(text, "--", 2) != 0)
		snprintf(buf, size, "-%c", optopt);
	else
		snprintf(buf, size, "%.*s", (int)strcspn(text, "="), text);
	return buf;
}

/* A letter is no typing error of another one. */
static const char *suggest_option(const struct command *command, const char *text)
{
	struct suggestion s = { .word = text + 2 };

	if (strncmp(text, "--", 2) != 0)
		return NULL;
	for (const struct option_row *row = command->options; row->name; row++)
		suggest_word(&s, row->name);
	suggest_word(&s, help_row.name);
	return s.best;
}

static void report_unknown_option(const struct arguments *a)
{
	char buf[128];
	const char *text = wrong_argument(a, buf, sizeof(buf));
	const char *known = suggest_option(a->command, text);

	if (known)
		report_usage("%s: unknown option; did you mean --%s?", text, known);
	else
		report_usage("%s: unknown option; see \"idmount help %s\"", text, a->command->name);
}

/* ---- values that are words ---- */

/* A larger list would not fit in the help. */
#define LONGEST_LIST 80

/* "containerd or oci" */
static void describe_words(const char *list, char *text)
{
	for (; *list; list++) {
		if (*list != '|')
			*text++ = *list;
		else
			text = stpcpy(text, strchr(list + 1, '|') ? ", " : " or ");
	}
	*text = '\0';
}

/* Cuts a list of words. Returns whether the value is one of them. */
static bool compare_words(char *list, struct suggestion *s)
{
	while (list) {
		const char *word = idm_next_piece(&list, '|');

		if (strcmp(word, s->word) == 0)
			return true;
		suggest_word(s, word);
	}
	return false;
}

/* The table has the words. So no command compares its values with a list of its own. */
static bool is_known_value(const struct option_row *row, const char *value)
{
	char list[LONGEST_LIST], text[3 * LONGEST_LIST];
	struct suggestion s = { .word = value };

	if (!row || !row->argument || !strchr(row->argument, '|') ||
	    !islower((unsigned char)*row->argument))
		return true;
	snprintf(list, sizeof(list), "%s", row->argument);
	if (compare_words(list, &s))
		return true;
	describe_words(row->argument, text);
	report_usage("--%s %s: expected %s%s%s%s", row->name, value, text,
		     s.best ? "; did you mean " : "", s.best ? s.best : "", s.best ? "?" : "");
	return false;
}

int next_command_option(struct arguments *a)
{
	struct option longs[MOST_OPTIONS + 2];
	char letters[2 * MOST_OPTIONS + 5], text[128];
	int letter;

	fill_getopt(a->command, longs, letters);
	opterr = 0;
	letter = getopt_long(a->argc, a->argv, letters, longs, NULL);
	switch (letter) {
	case -1:
		return OPTIONS_END;
	case 'h':
		if (find_row(a->command, 'h'))
			break;
		print_help(a->command);
		return OPTION_HELP;
	case ':':
		report_usage("%s: the option requires a value", wrong_argument(a, text, sizeof(text)));
		return OPTION_WRONG;
	case '?':
		if (optopt && find_row(a->command, optopt))
			report_usage("%s: the option accepts no value",
				     wrong_argument(a, text, sizeof(text)));
		else
			report_unknown_option(a);
		return OPTION_WRONG;
	}
	a->value = optarg;
	if (optarg && !a->command->foreign_values &&
	    !is_known_value(find_row(a->command, letter), optarg))
		return OPTION_WRONG;
	return letter;
}

size_t operands(const struct arguments *a, char ***operands)
{
	*operands = a->argv + optind;
	return (size_t)(a->argc - optind);
}

/* Whether it can only be a map: a file of that name does not exist. */
static bool is_map(const char *text)
{
	__attribute__((cleanup(idm_map_freep))) struct idm_map *map = NULL;

	return !strchr(text, '/') && access(text, F_OK) < 0 && idm_map_new(&map) == 0 &&
	       idm_map_parse(map, text, IDM_MAP_PARSE_LOOKUP, NULL) == 0;
}

/* An operand before which -m has been forgotten, or NULL. */
static const char *find_map_operand(const struct arguments *a)
{
	char **operand;
	size_t n = operands(a, &operand);

	for (size_t i = 0; find_row(a->command, 'm') && i < n; i++)
		if (is_map(operand[i]))
			return operand[i];
	return NULL;
}

int report_operands(const struct arguments *a, const char *expected)
{
	const char *name = a->command->name, *map = find_map_operand(a);
	char **operand;
	size_t n = operands(a, &operand);

	if (map)
		return report_usage("expected %s, got the map %s; it requires -m", expected, map);
	if (n == 0)
		return report_usage("expected %s; see \"idmount help %s\"", expected, name);
	if (n == 1)
		return report_usage("expected %s, got only %s; see \"idmount help %s\"", expected,
				    operand[0], name);
	return report_usage("expected %s, got %zu operands; see \"idmount help %s\"", expected, n, name);
}

/* ---- help ---- */

#define HELP_COLUMN 30

static void print_option_row(const struct option_row *row)
{
	char head[64];
	int n = row->letter < LONG_ONLY
			? snprintf(head, sizeof(head), "  -%c, --%s", row->letter, row->name)
			: snprintf(head, sizeof(head), "      --%s", row->name);

	if (row->argument)
		n += snprintf(head + n, sizeof(head) - (size_t)n, " %s", row->argument);
	printf("%-*s", n < HELP_COLUMN ? HELP_COLUMN : 0, head);
	if (n >= HELP_COLUMN)
		printf("\n%*s", HELP_COLUMN, "");
	for (const char *line = row->help; *line;) {
		size_t length = strcspn(line, "\n");

		printf("%.*s\n", (int)length, line);
		line += length;
		if (*line++ == '\0')
			break;
		printf("%*s", HELP_COLUMN, "");
	}
}

void print_help(const struct command *command)
{
	printf("usage: idmount %s [OPTION]...%s%s\n\n%s.\n\n", command->name,
	       *command->operands ? " " : "", command->operands, command->summary);
	for (const struct option_row *row = command->options; row->name; row++)
		print_option_row(row);
	print_option_row(&help_row);
	if (command->details)
		printf("\n%s", command->details);
}
