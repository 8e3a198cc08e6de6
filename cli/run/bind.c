// SPDX-License-Identifier: MIT
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/common/report.h"
#include "cli/common/suggest.h"
#include "lib/base/lowerdir.h"
#include "run.h"

static int parse_bind_map(struct run_bind *b, const char *text)
{
	char where[512];

	if (!b->map && idm_map_new(&b->map) < 0)
		return out_of_memory();
	snprintf(where, sizeof(where), "--bind %s", b->source);
	b->owner |= names_owner(text);
	return names_owner(text) ? parse_owner_map_in(where, b->map, text, b->source)
				 : parse_map_option_in(where, b->map, text);
}

/* Sets an option that accepts no value. Returns false if it is another one. */
static bool set_bind_flag(struct run_bind *b, const char *option)
{
	if (add_mount_option(&b->mount_options, option, strlen(option)))
		return true;
	if (strcmp(option, "recursive") == 0)
		b->recursive = true;
	else if (strcmp(option, "keep-rest") == 0)
		b->keep_rest = true;
	else if (strcmp(option, "remap") == 0)
		b->mapped_flags |= IDM_TREE_REMAP;
	else if (strcmp(option, "on-top") == 0)
		b->mapped_flags |= IDM_TREE_ON_TOP;
	else if (strcmp(option, "idmap") == 0)
		b->container_map = true;
	else
		return false;
	return true;
}

static int report_unknown_bind_option(const char *where, const char *option, const char *name)
{
	static const char *const own[] = { "recursive", "keep-rest", "remap", "on-top",
					   "idmap",	"map",	     NULL };
	struct suggestion s = { .word = name };

	suggest_words(&s, own);
	suggest_mount_options(&s);
	s.word = option;
	return report_unknown_word(&s, where, "option", NULL);
}

static int report_bind_option(const struct run_bind *b, const char *option)
{
	char name[32], where[512]; /* all known names are shorter */
	struct run_bind unused = { 0 };
	size_t n = strcspn(option, "=");

	snprintf(name, sizeof(name), "%.*s", (int)n, option);
	snprintf(where, sizeof(where), "--bind %s: ", b->source);
	if (!option[n] || !set_bind_flag(&unused, name))
		return report_unknown_bind_option(where, option, name);
	return report_wrong_value(where, option, strlen(option));
}

static int parse_bind_option(struct run_bind *b, char *option)
{
	/* A mount inside a shared mount is made on the host too, and stays there. */
	if (strcmp(option, "shared") == 0 || strcmp(option, "rshared") == 0)
		return report_usage("--bind %s: %s: mounts inside would be made on the host; slave and "
				    "private are possible",
				    b->source, option);
	if (set_bind_flag(b, option))
		return DONE;
	if (strncmp(option, "map=", 4) == 0)
		return parse_bind_map(b, option + 4);
	return report_bind_option(b, option);
}

static int parse_bind_options(struct run_bind *b, char *list)
{
	int status = DONE;

	while (list && status == DONE) {
		char *option = idm_next_piece(&list, ',');

		status =
			*option ? parse_bind_option(b, option)
				: report_usage(
					  "--bind %s: an option is missing between two commas, or at an end",
					  b->source);
	}
	return status;
}

static int check_bind(struct run_bind *b)
{
	if (b->map && b->container_map)
		return report_usage("--bind %s: map= and idmap exclude each other", b->source);
	if (b->mapped_flags == (IDM_TREE_REMAP | IDM_TREE_ON_TOP))
		return report_usage("--bind %s: remap and on-top exclude each other", b->source);
	if (b->owner && b->mapped_flags & IDM_TREE_REMAP) {
		char where[512];

		snprintf(where, sizeof(where), "--bind %s: ", b->source);
		return refuse_owner_of_mapped(where, "remap");
	}
	if (b->mapped_flags && !b->map && !b->container_map)
		return report_usage("--bind %s: remap and on-top require map= or idmap", b->source);
	if (b->keep_rest && !b->map)
		return report_usage("--bind %s: keep-rest requires map=", b->source);
	return DONE;
}

int run_parse_bind(struct run_bind *b, const char *text)
{
	char *rest;
	int status = DONE;

	*b = (struct run_bind){ .text = strdup(text) };
	if (!b->text)
		return out_of_memory();
	rest = b->text;
	b->source = idm_next_piece(&rest, ':');
	b->target = rest ? idm_next_piece(&rest, ':') : "";
	if (!*b->source || !*b->target)
		return report_usage("--bind %s: expected SRC:DST[:OPTIONS]", text);
	if (*b->target != '/')
		return report_usage("--bind %s: %s: expected an absolute path as target", text,
				    b->target);
	if (rest)
		status = parse_bind_options(b, rest);
	return status == DONE ? check_bind(b) : status;
}

void run_harden_bind(struct run_bind *b, const struct idm_map *map, const struct idm_map *container)
{
	b->hardening = harden_options(&b->mount_options, map, IDM_HARDEN_BIND, container);
}

static bool is_device(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode));
}

void run_report_binds(const struct run_request *q)
{
	struct hardened all = { 0 };

	for (size_t i = 0; i < q->n_binds; i++) {
		const struct run_bind *b = &q->binds[i];

		if (b->hardening.added & IDM_ATTR_NODEV && is_device(b->source))
			report_note(
				"--bind %s: it cannot be opened as a device; the option dev allows that",
				b->source);
		hardened_add(&all, &b->hardening, b->target);
	}
	report_hardened(&all, "bind");
}

void run_free_bind(struct run_bind *b)
{
	free(b->text);
	idm_map_free(b->map);
}
