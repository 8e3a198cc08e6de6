// SPDX-License-Identifier: MIT
#include "mount-options.h"

#include "lib/base/mount-attr.h"

/* A mount is copied with its options as a whole, so "rro" says the same here as "ro". */
bool add_mount_option(struct mount_options *mount_options, const char *name, size_t n)
{
	bool deep;
	const struct idm_attr_option *option = idm_find_attr_option(name, n, &deep);

	if (!option)
		return false;
	idm_apply_attr_option(option, &mount_options->set, &mount_options->clear);
	if (option->propagation)
		mount_options->propagation = option->propagation;
	return true;
}
