// SPDX-License-Identifier: MIT
#include "words.h"

#include <stdio.h>
#include <string.h>

#define ATIME_MODES (IDM_ATTR_NOATIME | IDM_ATTR_STRICTATIME)

static const struct word {
	const char *word;
	uint32_t set, clear;
	enum idm_propagation propagation;
} table[] = {
	{ "ro", IDM_ATTR_RDONLY, 0, 0 },
	{ "rw", 0, IDM_ATTR_RDONLY, 0 },
	{ "nosuid", IDM_ATTR_NOSUID, 0, 0 },
	{ "suid", 0, IDM_ATTR_NOSUID, 0 },
	{ "nodev", IDM_ATTR_NODEV, 0, 0 },
	{ "dev", 0, IDM_ATTR_NODEV, 0 },
	{ "noexec", IDM_ATTR_NOEXEC, 0, 0 },
	{ "exec", 0, IDM_ATTR_NOEXEC, 0 },
	{ "nosymfollow", IDM_ATTR_NOSYMFOLLOW, 0, 0 },
	{ "symfollow", 0, IDM_ATTR_NOSYMFOLLOW, 0 },
	/* Clearing the whole field means relatime, which is 0. */
	{ "relatime", 0, IDM_ATTR_ATIME, 0 },
	{ "noatime", IDM_ATTR_NOATIME, IDM_ATTR_ATIME, 0 },
	{ "strictatime", IDM_ATTR_STRICTATIME, IDM_ATTR_ATIME, 0 },
	{ "nodiratime", IDM_ATTR_NODIRATIME, 0, 0 },
	{ "diratime", 0, IDM_ATTR_NODIRATIME, 0 },
	{ "private", 0, 0, IDM_PROPAGATION_PRIVATE },
	{ "slave", 0, 0, IDM_PROPAGATION_SLAVE },
	{ "shared", 0, 0, IDM_PROPAGATION_SHARED },
	{ "unbindable", 0, 0, IDM_PROPAGATION_UNBINDABLE },
};

#define WORDS (sizeof(table) / sizeof(table[0]))

bool take_word(struct words *words, const char *word, size_t n)
{
	for (size_t i = 0; i < WORDS; i++) {
		const struct word *w = &table[i];

		if (strlen(w->word) != n || memcmp(w->word, word, n) != 0)
			continue;
		/* The later word wins. */
		words->set = (words->set & ~w->clear) | w->set;
		words->clear = (words->clear & ~w->set) | w->clear;
		if (w->propagation)
			words->propagation = w->propagation;
		return true;
	}
	return false;
}

bool words_name(const struct words *words, uint32_t attribute)
{
	return (words->set | words->clear) & attribute;
}

static bool describes(const struct word *w, const struct idm_mount *mount)
{
	if (w->propagation)
		return w->propagation == mount->propagation;
	if (w->set & ATIME_MODES || w->clear & IDM_ATTR_ATIME)
		return (mount->attr & IDM_ATTR_ATIME) == w->set;
	return w->set && mount->attr & w->set;
}

void describe_mount(const struct idm_mount *mount, char *buf, size_t size)
{
	size_t length = 0;

	snprintf(buf, size, "%s", mount->attr & IDM_ATTR_RDONLY ? "ro" : "rw");
	length = strlen(buf);
	for (size_t i = 0; i < WORDS && length < size; i++)
		if (!(table[i].set & IDM_ATTR_RDONLY) && describes(&table[i], mount))
			length += (size_t)snprintf(buf + length, size - length, ",%s", table[i].word);
}
