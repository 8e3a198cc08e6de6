// SPDX-License-Identifier: MIT
/*
 * The capabilities of the program: a default set, with those of --cap-add, without those of --cap-drop.
 */
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/prctl.h>

#include "cli/common/capability-names.h"
#include "cli/common/report.h"
#include "cli/common/suggest.h"
#include "lib/base/lowerdir.h"
#include "run.h"

#define BIT(n) (1ULL << (n))

/* ---- reading a list ---- */

static const struct capability_name *find_cap(const char *name)
{
	if (strncasecmp(name, "CAP_", 4) == 0)
		name += 4;
	for (size_t i = 0; i < CAPABILITY_NAMES; i++)
		if (strcasecmp(capability_names[i].name, name) == 0)
			return &capability_names[i];
	return NULL;
}

static int report_unknown_cap(const char *option, const char *name)
{
	bool prefix = strncasecmp(name, "CAP_", 4) == 0;
	struct suggestion s = { .word = prefix ? name + 4 : name };
	char where[32];

	for (size_t i = 0; i < CAPABILITY_NAMES; i++)
		suggest_word(&s, capability_names[i].name);
	s.word = name;
	snprintf(where, sizeof(where), "%s ", option);
	return report_unknown_word(&s, where, "capability", "capabilities(7)");
}

static bool kernel_has(unsigned int number)
{
	return prctl(PR_CAPBSET_READ, number, 0, 0, 0) >= 0;
}

static int add_cap(struct run_cap_list *list, const char *option, const char *name)
{
	const struct capability_name *cap;

	if (!*name)
		return report_usage("%s: a capability is missing at a comma or an end", option);
	if (strcasecmp(name, "ALL") == 0) {
		list->all = true;
		return DONE;
	}
	cap = find_cap(name);
	if (!cap)
		return report_unknown_cap(option, name);
	/* A new user namespace has every capability of the kernel, whatever the caller has. */
	if (!kernel_has(cap->number))
		return report_failure("%s %s: this kernel does not have that capability", option, name);
	list->named |= BIT(cap->number);
	return DONE;
}

int run_parse_caps(struct run_cap_list *list, const char *option, char *text)
{
	int status;

	do
		status = add_cap(list, option, idm_next_piece(&text, ','));
	while (text && status == DONE);
	return status;
}

/* ---- the set ---- */

/* Also those that have no name here yet. */
static uint64_t all_caps(void)
{
	uint64_t set = 0;

	for (unsigned int i = 0; i < 64 && kernel_has(i); i++)
		set |= BIT(i);
	return set;
}

static uint64_t default_caps(void)
{
	uint64_t set = 0;

	for (size_t i = 0; i < CAPABILITY_NAMES; i++)
		if (capability_names[i].by_default)
			set |= BIT(capability_names[i].number);
	return set;
}

static int refuse_both(uint64_t both)
{
	for (size_t i = 0; i < CAPABILITY_NAMES; i++)
		if (both & BIT(capability_names[i].number))
			return report_usage("--cap-add and --cap-drop both name %s",
					    capability_names[i].name);
	return report_usage("--cap-add and --cap-drop both name ALL");
}

/* ALL is applied first, then the names, independent of their order on the command line. */
int run_complete_caps(struct run_request *q)
{
	const struct run_cap_list *add = &q->cap_add, *drop = &q->cap_drop;
	uint64_t set = add->all ? all_caps() : drop->all ? 0 : default_caps();

	if (add->all && !set)
		return report_failure("--cap-add ALL: the kernel does not report its capabilities");
	if ((add->all && drop->all) || add->named & drop->named)
		return refuse_both(add->named & drop->named);
	q->caps = (set | add->named) & ~drop->named;
	if (q->disable_userns && q->caps & BIT(CAP_SYS_RESOURCE))
		return report_usage("--disable-userns: CAP_SYS_RESOURCE could lift that limit; drop it");
	return DONE;
}

/*
 * As with runc, a program that is not root has no capabilities. It can get at most those of a file. The
 * inheritable set stays empty. A file's inheritable capabilities would otherwise be in force for a
 * program that has none of its own.
 */
struct idm_capabilities run_caps_of(const struct run_request *q, const struct run_user *user)
{
	uint64_t own = user->uid == 0 ? q->caps : 0;

	return (struct idm_capabilities){ .effective = own, .permitted = own, .bounding = q->caps };
}
