// SPDX-License-Identifier: MIT
#include "mount-options.h"

#include <string.h>

#include "lib/base/mount-attr.h"
#include "report.h"
#include "suggest.h"

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

static size_t get_name_length(const char *option, size_t n)
{
	const char *equals = memchr(option, '=', n);

	return equals ? (size_t)(equals - option) : n;
}

bool has_wrong_value(const char *option, size_t n)
{
	size_t name = get_name_length(option, n);
	bool deep;

	return name < n && idm_find_attr_option(option, name, &deep);
}

void suggest_mount_options(struct suggestion *s)
{
	const char *name;

	for (size_t i = 0; (name = idm_attr_option_name(i)); i++)
		suggest_word(s, name);
}

int report_wrong_value(const char *where, const char *option, size_t n)
{
	size_t name = get_name_length(option, n);

	return report_usage("%s%.*s: expected no value, got \"%.*s\"", where, (int)name, option,
			    (int)(n - name - 1), option + name + 1);
}
