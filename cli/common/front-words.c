// SPDX-License-Identifier: MIT
#include "front-words.h"

#include <ctype.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_WORD 40

/* The words of each front that ask for the same as the name. */
static const struct {
	const char *name, *words[FRONTS];
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

static enum front_kind front_;

void front_is(enum front_kind front)
{
	front_ = front;
}

/* The row whose name the text begins with, as a whole; NULL: none. */
static const char *word_at(const char *text, size_t *length)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		size_t n = strlen(table[i].name);

		if (strncmp(text, table[i].name, n) != 0 || isalnum((unsigned char)text[n]) ||
		    text[n] == '_')
			continue;
		*length = n;
		return table[i].words[front_];
	}
	return NULL;
}

const char *front_word(const char *name)
{
	size_t n;
	const char *word = word_at(name, &n);

	return word ? word : name;
}

char *front_hint(const char *hint)
{
	/* Each name is at least a third as long as its replacement. */
	char *text = malloc(3 * strlen(hint) + LONGEST_WORD), *to = text;

	while (text && *hint) {
		size_t n = 1, length = 1;
		const char *word = word_at(hint, &n);

		if (word)
			length = strlen(word);
		memcpy(to, word ? word : hint, length);
		to += length;
		hint += n;
	}
	if (text)
		*to = '\0';
	return text;
}
