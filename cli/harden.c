// SPDX-License-Identifier: MIT
#include "harden.h"

#include <stdio.h>

#include "report.h"

struct hardening harden(struct words *words, const struct idm_map *map, enum idm_harden_as as)
{
	struct hardening h = { 0 };
	uint32_t wanted = idm_map_hardening(map, as, NULL, &h.why);

	h.added = wanted & ~(words->set | words->clear);
	words->set |= h.added;
	return h;
}

/* "files of user 4321 appear as user 4322's" */
static const char *reason(const struct idm_other_id *why, char *buf, size_t size)
{
	const char *kind = why->kind == IDM_UID ? "user" : "group";

	if (why->kind == IDM_UID && !why->disk)
		snprintf(buf, size, "files of root appear as user %u's", why->seen);
	else if (why->seen)
		snprintf(buf, size, "files of %s %u appear as %s %u's", kind, why->disk, kind,
			 why->seen);
	else
		snprintf(buf, size, "files of %s %u appear as root's", kind, why->disk);
	return buf;
}

#define REASON 80

void report_hardening(const struct hardening *h, const char *words)
{
	bool nosuid = h->added & IDM_ATTR_NOSUID, nodev = h->added & IDM_ATTR_NODEV;
	char why[REASON];

	if (h->added && h->why.kind)
		report_note("added %s%s%s, since %s; -o %s prevents that", nosuid ? "nosuid" : "",
			    nosuid && nodev ? "," : "", nodev ? "nodev" : "",
			    reason(&h->why, why, sizeof(why)), words);
}

void report_hardened(size_t n, const char *what, const struct idm_other_id *why)
{
	char text[REASON];

	if (n)
		report_note(
			"added nosuid,nodev to %zu %s%s, since %s; the words suid and dev of a %s prevent "
			"that",
			n, what, n == 1 ? "" : "s", reason(why, text, sizeof(text)), what);
}
