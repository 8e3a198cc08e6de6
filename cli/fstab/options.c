// SPDX-License-Identifier: MIT
/* The types and options of fstab's lines. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cli/common/fstab-options.h"
#include "cli/common/quoted-options.h"
#include "cli/common/report.h"
#include "cli/common/suggest.h"
#include "fstab.h"

static bool is_option(const char *option, const char *name)
{
	size_t n = strcspn(option, "=");

	return strlen(name) == n && strncmp(option, name, n) == 0;
}

bool has_fstab_option(const char *list, const char *name)
{
	char *copy = strdup(list), *rest = copy, *option;
	bool found = false;

	while (!found && (option = cut_quoted_option(&rest)))
		found = is_option(option, name);
	free(copy);
	return found;
}

/* ---- types ---- */

/* No filesystem has such a name. */
static bool is_meant_as_idmap(const char *type)
{
	struct suggestion s = { .word = type };

	if (strncasecmp(type, "idm", 3) == 0 || strncasecmp(type, "id-map", 6) == 0 ||
	    strcmp(type, "mount.idmap") == 0)
		return true;
	suggest_word(&s, "idmap");
	return s.best;
}

/* A path with a blank is two fields, so that a later one has the type. */
static bool has_type_later(const struct fstab_line *line)
{
	const char *found = strstr(line->rest, "idmap");

	return *line->type == '/' &&
	       (strcmp(line->options, "idmap") == 0 || (found && strcspn(found, " \t") == 5));
}

int check_fstab_type(const struct fstab_line *line)
{
	if (has_type_later(line))
		return report_failure("expected a type as field 3, got %s; write a blank in a path as "
				      "\\040",
				      line->type);
	if (strcmp(line->type, "idmap") != 0 && is_meant_as_idmap(line->type))
		return report_failure("%s: unknown type; did you mean idmap?", line->type);
	return DONE;
}

/* ---- options of other types ---- */

static bool is_bind(const struct fstab_line *line)
{
	return has_fstab_option(line->options, "bind") || has_fstab_option(line->options, "rbind");
}

/* It lists what it was built with. That of util-linux before 2.39 ignores X-mount.idmap, and all others
 * do. */
static bool can_mount_map(void)
{
	FILE *version = popen("LC_ALL=C mount --version 2>/dev/null </dev/null", "re");
	char text[512] = "";
	size_t n = version ? fread(text, 1, sizeof(text) - 1, version) : 0;

	text[n] = '\0';
	if (version)
		pclose(version);
	return strstr(text, "idmapping");
}

static int check_mount_option(const struct fstab_line *line)
{
	if (!has_fstab_option(line->options, "X-mount.idmap") || can_mount_map())
		return DONE;
	return report_failure(
		"X-mount.idmap: this mount(8) ignores it (needs util-linux 2.39), so nothing is "
		"mapped; write the type idmap and map=, without bind");
}

/* mount(8) passes unknown options of a bind mount to nothing. */
int check_other_type(const struct fstab_line *line)
{
	const char *word = has_fstab_option(line->options, "map")	  ? "map"
			   : has_fstab_option(line->options, "keep-rest") ? "keep-rest"
									  : NULL;

	if (!word || !(is_bind(line) || strcmp(line->type, "bind") == 0))
		return check_mount_option(line);
	return report_failure(
		"%s: mount(8) makes a plain bind mount, in which nothing is mapped; write the "
		"type idmap, without bind",
		word);
}

/* ---- options of the type idmap ---- */

/* With these, mount(8) acts by itself for any type, or changes what the helper gets. */
static int check_reserved_options(const struct fstab_line *line)
{
	static const char *const own[] = { "bind", "rbind", "move" };
	static const char *const kept[] = { "suid", "dev" };
	static const char *const users[] = { "user", "users", "owner", "group" };

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (has_fstab_option(line->options, own[i]))
			return report_failure(
				"%s: mount(8) makes a plain mount, in which nothing is mapped; "
				"leave it out",
				own[i]);
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		if (has_fstab_option(line->options, kept[i]))
			return report_failure("%s: mount(8) does not pass it on; write allow-%s",
					      kept[i], kept[i]);
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++)
		if (has_fstab_option(line->options, users[i]))
			return report_failure("%s: mount(8) runs its helpers without privilege for "
					      "users, so root alone can mount it; x-systemd.automount "
					      "mounts it at the first access",
					      users[i]);
	if (has_fstab_option(line->options, "X-mount.idmap"))
		return report_failure("X-mount.idmap: the type idmap has map= for this");
	if (has_fstab_option(line->options, "X-mount.subdir"))
		return report_failure(
			"X-mount.subdir: with helpers some releases of mount(8) ignore it, and "
			"show all of the source; name the directory as source");
	return DONE;
}

/* The messages are those of mount.idmap. */
static int check_helper_options(const struct fstab_line *line, struct fstab_options *o)
{
	char *list = strdup(line->options);
	struct idm_error err;
	int status;

	if (!list)
		return out_of_memory();
	status = parse_fstab_options(o, list);
	free(list);
	if (status == DONE)
		status = complete_fstab_options(o);
	/* A missing source is another fault. */
	o->mount.source = line->source;
	if (o->maps.owner_text && access(line->source, F_OK) < 0)
		return status;
	if (status == DONE)
		status = complete_fstab_owner(o, line->source);
	if (status == DONE && idm_map_check(o->mount.map, &err) < 0)
		status = report_error(&err);
	return status;
}

int check_idmap_options(const struct fstab_line *line)
{
	struct fstab_options o = { 0 };
	int status = check_reserved_options(line);

	if (status == DONE)
		status = check_helper_options(line, &o);
	map_request_free(&o.maps);
	return status;
}
