// SPDX-License-Identifier: MIT
/* What a program gets beyond its user: file capabilities, set-user-ID and set-group-ID bits. */
#include "privileges.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/common/capability-names.h"
#include "draw.h"

void find_privileges(const struct verdict *v, struct privileges *p)
{
	uint32_t mode = v->facts.inode->mode;
	bool is_program = v->place->is_last && S_ISREG(mode);

	*p = (struct privileges){ .capabilities = v->place->file_capabilities,
				  .root = v->place->file_capabilities_root,
				  .sets_user = is_program && mode & S_ISUID,
				  .sets_group = is_program && mode & S_ISGID && mode & S_IXGRP,
				  .count = !(v->facts.attr & IDM_ATTR_NOSUID) };
	if (!has_privileges(p) || p->count || !describe_suid_cure(v, p->cure, sizeof(p->cure)))
		*p->cure = '\0';
}

bool has_privileges(const struct privileges *p)
{
	return p->capabilities || p->sets_user || p->sets_group;
}

static void write_name(unsigned int number, char name[32])
{
	const char *known = find_capability_name(number);

	if (known)
		snprintf(name, 32, "CAP_%s", known);
	else
		snprintf(name, 32, "%u", number);
}

static void print_capabilities(const struct privileges *p)
{
	char text[64 * 32] = "", name[32];

	for (unsigned int i = 0; i < 64; i++) {
		size_t n = strlen(text);

		if (!(p->capabilities >> i & 1))
			continue;
		write_name(i, name);
		snprintf(text + n, sizeof(text) - n, "%s%s", n ? "," : "", name);
	}
	print_row(MARK_MORE, "         file capabilities %s, for root ID %u", text, p->root);
}

bool print_privileges(const struct privileges *p)
{
	if (!has_privileges(p))
		return false;
	if (p->capabilities)
		print_capabilities(p);
	print_row(MARK_MORE, "         its capabilities, set-user-ID and set-group-ID bits %s",
		  p->count ? "count" : "do nothing: the mount has nosuid");
	if (*p->cure)
		print_row(MARK_NONE, "cure     %s", p->cure);
	return *p->cure;
}

void add_capability_names(struct json *json, const char *key, uint64_t set)
{
	char name[32];

	json_open(json, key, '[');
	for (unsigned int i = 0; i < 64; i++) {
		if (!(set >> i & 1))
			continue;
		write_name(i, name);
		json_add_string(json, NULL, name);
	}
	json_close(json);
}

void add_privileges(struct json *json, const struct privileges *p)
{
	if (!has_privileges(p)) {
		json_add_string(json, "privileges", NULL);
		return;
	}
	json_open(json, "privileges", '{');
	add_capability_names(json, "capabilities", p->capabilities);
	json_add_number(json, "rootId", p->root);
	json_add_bool(json, "setUserId", p->sets_user);
	json_add_bool(json, "setGroupId", p->sets_group);
	json_add_bool(json, "count", p->count);
	if (*p->cure)
		json_add_name(json, "cure", p->cure);
	else
		json_add_string(json, "cure", NULL);
	json_close(json);
}
