// SPDX-License-Identifier: MIT
#include "option-names.h"

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_OPTION 40

/* For each front end, the option that requests the same as the name. */
static const struct {
	const char *name, *options[FRONT_ENDS];
} table[] = {
	{ "IDM_ATTACH_MKDIR", { "--mkdir", "-o mkdir", "mkdir(1)", "mkdir(1)" } },
	{ "IDM_ATTACH_REPLACE", { "--replace", "-o replace", "umount(8)", "umount(8)" } },
	{ "IDM_TREE_RECURSIVE", { "--recursive", "-o recursive", "--bind ...:recursive", "rbind" } },
	{ "IDM_TREE_REMAP",
	  { "idmount mount --remap", "-o remap", "--bind ...:remap", "idmount mount --remap" } },
	{ "IDM_TREE_ON_TOP",
	  { "idmount mount --on-top", "-o on-top", "--bind ...:on-top", "idmount mount --on-top" } },
	{ "IDM_UMOUNT_LAZY", { "--lazy", "umount --lazy", "umount --lazy", "umount --lazy" } },
	{ "IDM_UMOUNT_RECURSIVE",
	  { "--recursive", "umount --recursive", "umount --recursive", "umount --recursive" } },
	{ "IDM_PLAN_UNDO_LAZY", { "--lazy", "umount --lazy", "umount --lazy", "umount --lazy" } },
	{ "idm_map_keep_rest()",
	  { "--keep-rest", "-o keep-rest", "--keep-rest (of a bind: keep-rest)", "keep-rest" } },
	{ "idm_map_parse()", { "--map MAP", "-o map=MAP", "--map MAP", "an annotation" } },
	{ "idm_map_add_userns()", { "--userns", "userns", "--userns", "userns" } },
};

static enum front_end front_end_;

void set_front_end(enum front_end front)
{
	front_end_ = front;
}

/* Returns the option for the name at the beginning of the text, or NULL. */
static const char *name_at(const char *text, size_t *length)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		size_t n = strlen(table[i].name);

		if (strncmp(text, table[i].name, n) != 0 || isalnum((unsigned char)text[n]) ||
		    text[n] == '_')
			continue;
		*length = n;
		return table[i].options[front_end_];
	}
	return NULL;
}

const char *option_name(const char *name)
{
	size_t n;
	const char *option = name_at(name, &n);

	return option ? option : name;
}

char *hint_with_options(const char *hint)
{
	/* Each name is at least a third as long as its replacement. */
	char *text = malloc(3 * strlen(hint) + LONGEST_OPTION), *to = text;

	while (text && *hint) {
		size_t n = 1, length = 1;
		const char *option = name_at(hint, &n);

		if (option)
			length = strlen(option);
		memcpy(to, option ? option : hint, length);
		to += length;
		hint += n;
	}
	if (text)
		*to = '\0';
	return text;
}
