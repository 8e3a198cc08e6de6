/* SPDX-License-Identifier: MIT */
/* Setuid and device files of people who are seen as root. */
#ifndef HARDEN_H
#define HARDEN_H

#include "words.h"

struct hardening {
	uint32_t added; /* IDM_ATTR_* */
	const char *kind;
	uint32_t disk; /* who would be root */
};

/*
 * A setuid program of disk user 1000 that is seen as root's is a root shell for everybody. So a mount
 * with such a map does not honour setuid and device files, unless that was asked for: adds nosuid and
 * nodev to the words where they say nothing about it.
 */
struct hardening harden(struct words *words, const struct idm_map *map);

/* Says so, in one line, if anything was added; `words` are those that prevent it. */
void report_hardening(const struct hardening *hardening, const char *words);

/* The same of the mounts of a plan; 0: none. */
void report_hardened_mounts(size_t n);

#endif
