// SPDX-License-Identifier: MIT
#include "mount-attr.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "error.h"
#include "macros.h"

#define SETTABLE                                                                                 \
	(IDM_ATTR_RDONLY | IDM_ATTR_NOSUID | IDM_ATTR_NODEV | IDM_ATTR_NOEXEC | IDM_ATTR_ATIME | \
	 IDM_ATTR_NODIRATIME | IDM_ATTR_NOSYMFOLLOW)

static const struct idm_attr_option options[] = {
	{ "ro", IDM_ATTR_RDONLY, 0, 0, false },
	{ "rw", 0, IDM_ATTR_RDONLY, 0, false },
	{ "nosuid", IDM_ATTR_NOSUID, 0, 0, false },
	{ "suid", 0, IDM_ATTR_NOSUID, 0, false },
	{ "nodev", IDM_ATTR_NODEV, 0, 0, false },
	{ "dev", 0, IDM_ATTR_NODEV, 0, false },
	{ "noexec", IDM_ATTR_NOEXEC, 0, 0, false },
	{ "exec", 0, IDM_ATTR_NOEXEC, 0, false },
	{ "nosymfollow", IDM_ATTR_NOSYMFOLLOW, 0, 0, false },
	{ "symfollow", 0, IDM_ATTR_NOSYMFOLLOW, 0, false },
	/* One field with three values, of which relatime is 0. "atime" is the opposite of noatime only.
	 */
	{ "relatime", 0, IDM_ATTR_ATIME, 0, false },
	{ "norelatime", 0, 0, 0, false },
	{ "noatime", IDM_ATTR_NOATIME, IDM_ATTR_ATIME, 0, false },
	{ "atime", 0, IDM_ATTR_NOATIME, 0, false },
	{ "strictatime", IDM_ATTR_STRICTATIME, IDM_ATTR_ATIME, 0, false },
	{ "nostrictatime", 0, IDM_ATTR_STRICTATIME, 0, false },
	{ "nodiratime", IDM_ATTR_NODIRATIME, 0, 0, false },
	{ "diratime", 0, IDM_ATTR_NODIRATIME, 0, false },
	{ "private", 0, 0, IDM_PROPAGATION_PRIVATE, false },
	{ "slave", 0, 0, IDM_PROPAGATION_SLAVE, false },
	{ "shared", 0, 0, IDM_PROPAGATION_SHARED, false },
	{ "unbindable", 0, 0, IDM_PROPAGATION_UNBINDABLE, false },
	{ "defaults", 0, 0, 0, true },
	{ "async", 0, 0, 0, true },
	{ "nomand", 0, 0, 0, true },
	{ "nolazytime", 0, 0, 0, true },
	{ "noiversion", 0, 0, 0, true },
	{ "loud", 0, 0, 0, true },
	{ "silent", 0, 0, 0, true }, /* a mount by descriptor writes nothing to the kernel log */
};

static const struct idm_attr_option *find_named_option(const char *name, size_t n)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (strlen(options[i].name) == n && memcmp(options[i].name, name, n) == 0)
			return &options[i];
	return NULL;
}

const struct idm_attr_option *idm_find_attr_option(const char *name, size_t n, bool *deep)
{
	const struct idm_attr_option *option = find_named_option(name, n);

	*deep = !option && n > 1 && *name == 'r';
	if (*deep)
		option = find_named_option(name + 1, n - 1);
	return option && *deep && option->no_change ? NULL : option;
}

const char *idm_attr_option_name(size_t index)
{
	return index < ARRAY_SIZE(options) ? options[index].name : NULL;
}

void idm_apply_attr_option(const struct idm_attr_option *option, uint32_t *set, uint32_t *clear)
{
	*set = (*set & ~option->clear) | option->set;
	*clear = (*clear & ~option->set) | option->clear;
}

static bool describes_mount(const struct idm_attr_option *o, uint32_t attr,
			    enum idm_propagation propagation)
{
	if (o->propagation)
		return o->propagation == propagation;
	if (o->clear == IDM_ATTR_ATIME)
		return (attr & IDM_ATTR_ATIME) == o->set;
	return o->set && attr & o->set;
}

uint32_t idm_attr_from_statfs(unsigned long flags)
{
	return (flags & ST_RDONLY ? IDM_ATTR_RDONLY : 0) | (flags & ST_NOSUID ? IDM_ATTR_NOSUID : 0) |
	       (flags & ST_NODEV ? IDM_ATTR_NODEV : 0) | (flags & ST_NOEXEC ? IDM_ATTR_NOEXEC : 0);
}

void idm_describe_attr(uint32_t attr, enum idm_propagation propagation, char *buf, size_t size)
{
	size_t length;

	snprintf(buf, size, "%s", attr & IDM_ATTR_RDONLY ? "ro" : "rw");
	length = strlen(buf);
	for (size_t i = 0; i < ARRAY_SIZE(options) && length < size; i++)
		if (!(options[i].set & IDM_ATTR_RDONLY) &&
		    describes_mount(&options[i], attr, propagation))
			length += (size_t)snprintf(buf + length, size - length, ",%s", options[i].name);
}

uint32_t idm_attributes_to_clear(uint32_t set, uint32_t clear)
{
	return (set | clear) & IDM_ATTR_ATIME ? clear | IDM_ATTR_ATIME : clear;
}

int idm_check_attributes(uint32_t set, uint32_t clear, enum idm_error_step step, const char *subject,
			 struct idm_error *err)
{
	const uint32_t times = set & IDM_ATTR_ATIME;

	if ((set | clear) & ~SETTABLE)
		return idm_fail(err, -EINVAL, step, subject, "unknown attributes 0x%x",
				(set | clear) & ~SETTABLE);
	if (times && times != IDM_ATTR_NOATIME && times != IDM_ATTR_STRICTATIME)
		return idm_fail(err, -EINVAL, step, subject,
				"expected at most one attribute for access times");
	return 0;
}
