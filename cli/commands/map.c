// SPDX-License-Identifier: MIT
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/common/command.h"
#include "cli/common/draw-map.h"
#include "cli/common/idmap-options.h"
#include "cli/common/report.h"

enum { OPTION_INVERT = OPTION_OF_COMMAND, OPTION_COMPOSE, OPTION_TRANSLATE, OPTION_FORMAT };

static const struct option_row options[] = {
	MAP_OPTIONS,
	{ OPTION_INVERT, "invert", NULL, "exchange disk and seen, after --keep-rest" },
	{ OPTION_COMPOSE, "compose", "MAP", "then apply MAP as well, after --invert" },
	{ OPTION_TRANSLATE, "translate", "[u:|g:]ID",
	  "print the seen ID of one disk ID; may be repeated" },
	{ OPTION_FORMAT, "format", "text|kernel|containerd|util-linux|crun|oci",
	  "print the map in this form, instead of drawing it" },
	{ 0 },
};

#define MOST_IDS 64

struct request {
	struct map_request map;
	struct idm_map *then; /* --compose */
	const char *ids[MOST_IDS];
	size_t n_ids;
	int format; /* -1: draw */
	bool invert;
};

/* ---- the options ---- */

/* The table of options has the same words. */
static void set_map_format(struct request *q, const char *value)
{
	static const char *const names[] = {
		[IDM_FORMAT_TEXT] = "text",
		[IDM_FORMAT_KERNEL] = "kernel",
		[IDM_FORMAT_CONTAINERD] = "containerd",
		[IDM_FORMAT_UTIL_LINUX] = "util-linux",
		[IDM_FORMAT_CRUN] = "crun",
		[IDM_FORMAT_OCI] = "oci",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], value) == 0)
			q->format = (int)i;
}

static int parse_compose(struct request *q, const char *value)
{
	if (!q->then && idm_map_new(&q->then) < 0)
		return out_of_memory();
	return parse_map_option(q->then, value);
}

static int parse_option_of_map(struct request *q, int letter, const char *value)
{
	switch (letter) {
	case OPTION_INVERT:
		q->invert = true;
		return DONE;
	case OPTION_COMPOSE:
		return parse_compose(q, value);
	case OPTION_TRANSLATE:
		if (q->n_ids == MOST_IDS)
			return report_usage("--translate: expected at most %d IDs", MOST_IDS);
		q->ids[q->n_ids++] = value;
		return DONE;
	case OPTION_FORMAT:
		set_map_format(q, value);
		return DONE;
	default:
		return add_map_option(&q->map, letter, value);
	}
}

/* ---- the answers ---- */

static void translate_one(const struct idm_map *map, unsigned int kind, uint32_t disk)
{
	const char *name = kind == IDM_UID ? "uid" : "gid";
	uint32_t seen;

	if (idm_map_to_seen(map, kind, disk, &seen) == 0)
		printf("%s %u -> %u\n", name, disk, seen);
	else
		printf("%s %u    left out\n", name, disk);
}

static int translate(const struct idm_map *map, const char *text)
{
	const char *digits = text[0] && text[1] == ':' ? text + 2 : text;
	bool user = text == digits || text[0] == 'u', group = text == digits || text[0] == 'g';
	unsigned long long id;
	char *end;

	errno = 0;
	id = strtoull(digits, &end, 10);
	if (!(user || group) || *digits < '0' || *digits > '9' || *end || errno || id > 4294967294ULL)
		return report_usage("--translate %s: expected [u:|g:] and an ID up to 4294967294", text);
	if (user)
		translate_one(map, IDM_UID, (uint32_t)id);
	if (group)
		translate_one(map, IDM_GID, (uint32_t)id);
	return DONE;
}

static int print_kinds(const struct idm_map *map, enum idm_format format, unsigned int kinds)
{
	ssize_t length = idm_map_print(map, format, kinds, NULL, 0);
	char *text = length < 0 ? NULL : malloc((size_t)length + 1);

	if (!text) {
		return out_of_memory();
	}
	idm_map_print(map, format, kinds, text, (size_t)length + 1);
	fputs(text, stdout);
	if (length && text[length - 1] != '\n')
		putchar('\n');
	free(text);
	return DONE;
}

/* The kernel has a file for each side. */
static int print_kernel(const struct idm_map *map)
{
	puts("uid_map");
	if (print_kinds(map, IDM_FORMAT_KERNEL, IDM_UID) != DONE)
		return FAILED;
	puts("gid_map");
	return print_kinds(map, IDM_FORMAT_KERNEL, IDM_GID);
}

static int answer(const struct request *q)
{
	const struct idm_map *map = q->map.map;

	for (size_t i = 0; i < q->n_ids; i++) {
		int status = translate(map, q->ids[i]);

		if (status != DONE)
			return status;
	}
	if (q->n_ids)
		return DONE;
	if (q->format == IDM_FORMAT_KERNEL)
		return print_kernel(map);
	if (q->format >= 0)
		return print_kinds(map, (enum idm_format)q->format, IDM_BOTH);
	return draw_map(map) ? DONE : out_of_memory();
}

static int calculate(struct request *q)
{
	int status = complete_map(&q->map, HOW_TO_GIVE_A_MAP);

	if (status != DONE)
		return status;
	if (q->invert)
		idm_map_invert(q->map.map);
	if (!q->then || idm_map_compose(q->map.map, q->then) == 0)
		return DONE;
	return out_of_memory();
}

static int handle_map(struct request *q, struct arguments *a)
{
	int letter, status;
	char **operand;

	while ((letter = next_command_option(a)) > 0) {
		status = parse_option_of_map(q, letter, a->value);
		if (status != DONE)
			return status;
	}
	if (letter < 0)
		return letter == OPTION_HELP ? DONE : USAGE;
	if (operands(a, &operand))
		return report_usage("%s: expected no operand; -m names the map", operand[0]);
	status = calculate(q);
	return status == DONE ? answer(q) : status;
}

static int run_map(int argc, char **argv)
{
	struct arguments a = { .command = &command_map, .argc = argc, .argv = argv };
	struct request q = { .format = -1 };
	int status = handle_map(&q, &a);

	idm_map_free(q.then);
	map_request_free(&q.map);
	return status;
}

const struct command command_map = {
	.name = "map",
	.operands = "",
	.summary = "draw, translate, combine and print maps",
	.details = map_details,
	.options = options,
	.run = run_map,
};
