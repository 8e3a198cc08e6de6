// SPDX-License-Identifier: MIT
#include "harden.h"

#include "report.h"

/* Whether files of somebody who is not root appear as root's (or its group's). */
static bool lets_others_be_root(const struct idm_map *map, unsigned int kind, uint32_t *disk)
{
	return idm_map_to_disk(map, kind, 0, disk) == 0 && *disk != 0;
}

struct hardening harden(struct words *words, const struct idm_map *map)
{
	struct hardening h = { 0 };

	if (lets_others_be_root(map, IDM_UID, &h.disk))
		h.kind = "user";
	else if (lets_others_be_root(map, IDM_GID, &h.disk))
		h.kind = "group";
	else
		return h;
	h.added = (words_name(words, IDM_ATTR_NOSUID) ? 0 : IDM_ATTR_NOSUID) |
		  (words_name(words, IDM_ATTR_NODEV) ? 0 : IDM_ATTR_NODEV);
	words->set |= h.added;
	return h;
}

void report_hardening(const struct hardening *h, const char *words)
{
	bool nosuid = h->added & IDM_ATTR_NOSUID, nodev = h->added & IDM_ATTR_NODEV;

	if (h->added)
		report_note("added %s%s%s, since files of %s %u appear as root's; -o %s prevents that",
			    nosuid ? "nosuid" : "", nosuid && nodev ? "," : "", nodev ? "nodev" : "",
			    h->kind, h->disk, words);
}

void report_hardened_mounts(size_t n)
{
	if (n)
		report_note(
			"added nosuid,nodev to %zu mount%s, since files of others appear as root's; the "
			"words suid and dev of a mount prevent that",
			n, n == 1 ? "" : "s");
}
