// SPDX-License-Identifier: MIT
#include "harden.h"

#include <stdio.h>
#include <string.h>

#include "report.h"

struct hardening harden_options(struct mount_options *mount_options, const struct idm_map *map,
				enum idm_harden_as as, const struct idm_map *container)
{
	struct hardening h = { 0 };
	uint32_t wanted = idm_map_hardening(map, as, container, &h.why);

	h.added = wanted & ~(mount_options->set | mount_options->clear);
	mount_options->set |= h.added;
	return h;
}

#define REASON 80

/* "files of user 4321 appear as user 4322's" */
static const char *reason(const struct idm_hardening_info *why, char *buf, size_t size)
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

/* "nosuid,nodev", and the options that prevent that. */
struct attribute_names {
	const char *added, *prevent;
};

static struct attribute_names names_of(uint32_t added)
{
	if (!(added & IDM_ATTR_NODEV))
		return (struct attribute_names){ "nosuid", "the option suid" };
	if (!(added & IDM_ATTR_NOSUID))
		return (struct attribute_names){ "nodev", "the option dev" };
	return (struct attribute_names){ "nosuid,nodev", "the options suid and dev" };
}

void report_hardening(const struct hardening *h, const char *options)
{
	char why[REASON];

	if (h->added && h->why.kind)
		report_note("added %s, since %s; -o %s prevents that", names_of(h->added).added,
			    reason(&h->why, why, sizeof(why)), options);
}

void hardened_add(struct hardened *all, const struct hardening *h, const char *target)
{
	if (!h->added || !h->why.kind)
		return;
	if (all->n++ == 0) {
		all->why = h->why;
		all->target = target;
	}
	all->added |= h->added;
}

void report_hardened(const struct hardened *all, const char *what)
{
	const struct attribute_names names = names_of(all->added);
	char text[REASON], number[24];
	bool one = all->n == 1;

	if (!all->n)
		return;
	snprintf(number, sizeof(number), "%zu", all->n);
	report_note("added %s to %s %s%s%s, since %s; %s of a %s prevent%s that", names.added,
		    one ? "the" : number, what, one ? " at /" : "s",
		    one ? all->target + strspn(all->target, "/") : "",
		    reason(&all->why, text, sizeof(text)), names.prevent, what,
		    all->added == (IDM_ATTR_NOSUID | IDM_ATTR_NODEV) ? "" : "s");
}
