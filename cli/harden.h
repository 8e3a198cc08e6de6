/* SPDX-License-Identifier: MIT */
/* Set-user-ID and device files of owners who appear as other ones. */
#ifndef HARDEN_H
#define HARDEN_H

#include "words.h"

struct hardening {
	uint32_t added; /* IDM_ATTR_* */
	struct idm_other_id why;
};

/* Adds what idm_map_hardening() says to the words, where they say nothing about it. */
struct hardening harden(struct words *words, const struct idm_map *map, enum idm_harden_as as);

/* Says so in one line, if an ID was the reason; `words` are those that prevent it. */
void report_hardening(const struct hardening *hardening, const char *words);

/* The same of n mounts: "mount" or "bind". 0: none. */
void report_hardened(size_t n, const char *what, const struct idm_other_id *why);

#endif
