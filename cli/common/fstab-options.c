// SPDX-License-Identifier: MIT
#include "fstab-options.h"

#include <stdio.h>
#include <string.h>

#include "option-names.h"
#include "quoted-options.h"
#include "report.h"
#include "suggest.h"

/* Options for mount(8) itself, for systemd and for fstab. */
static bool is_for_mount(const char *option)
{
	static const char *const known[] = {
		"defaults", "auto",  "noauto",	"user",	 "nouser",  "users",
		"nousers",  "owner", "noowner", "group", "nogroup", "_netdev",
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i], option) == 0)
			return true;
	return strncmp(option, "x-", 2) == 0 || strncmp(option, "X-", 2) == 0 ||
	       strncmp(option, "comment=", 8) == 0;
}

static const char *value_of(const char *option, const char *key)
{
	size_t n = strlen(key);

	return strncmp(option, key, n) == 0 && option[n] == '=' ? option + n + 1 : NULL;
}

/* Sets an option of mount.idmap that accepts no value. Returns false if it is another one. */
static bool set_own_flag(struct fstab_options *o, const char *option)
{
	const struct {
		const char *name;
		bool *flag;
	} flags[] = {
		{ "recursive", &o->mount.recursive }, { "mkdir", &o->mount.mkdir },
		{ "replace", &o->mount.replace },     { "nofail", &o->nofail },
		{ "keep-rest", &o->maps.keep_rest },  { "skip-unmappable", &o->mount.skip_unmappable },
	};

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		if (strcmp(flags[i].name, option) == 0)
			return *flags[i].flag = true;
	if (strcmp(option, "remap") != 0 && strcmp(option, "on-top") != 0)
		return false;
	o->mount.mapped_flags |= *option == 'r' ? IDM_TREE_REMAP : IDM_TREE_ON_TOP;
	return true;
}

static bool set_flag(struct fstab_options *o, const char *option)
{
	if (set_own_flag(o, option) || is_for_mount(option))
		return true;
	if (strcmp(option, "rw") == 0) /* mount(8) passes "rw" whenever "ro" was not given */
		return true;
	/* mount(8) does not pass "suid" and "dev" on. */
	if (strcmp(option, "allow-suid") == 0 || strcmp(option, "allow-dev") == 0)
		option += strlen("allow-");
	return add_mount_option(&o->mount.mount_options, option, strlen(option));
}

/* Without its value, since the names have none. */
static int report_unknown_fstab_option(const char *option, const char *name)
{
	static const char *const own[] = {
		"map",	 "userns", "recursive",	 "mkdir",     "replace", "nofail",	    "keep-rest",
		"remap", "on-top", "allow-suid", "allow-dev", "fstype",	 "skip-unmappable", NULL
	};
	struct suggestion s = { .word = name };

	suggest_words(&s, own);
	suggest_mount_options(&s);
	s.word = option;
	return report_unknown_word(&s, "", "option", "mount.idmap(8)");
}

static int report_option(const char *option)
{
	char name[32]; /* all known names are shorter */
	struct fstab_options unused = { 0 };
	size_t n = strcspn(option, "=");

	snprintf(name, sizeof(name), "%.*s", (int)n, option);
	if (option[n] && set_flag(&unused, name))
		return report_wrong_value("", option, strlen(option));
	return report_unknown_fstab_option(option, name);
}

static int parse_fstab_option(struct fstab_options *o, const char *option)
{
	const char *value;

	if ((value = value_of(option, "map")))
		return add_map_option(&o->maps, 'm', value);
	if ((value = value_of(option, "userns")))
		return add_map_option(&o->maps, OPTION_USERNS, value);
	if ((value = value_of(option, "fstype"))) {
		o->mount.type = value;
		return DONE;
	}
	if (strcmp(option, "remount") == 0)
		return report_usage(
			"remount: an idmap mount cannot be changed; unmount it and mount it again, "
			"or use \"replace\"");
	return set_flag(o, option) || o->sloppy ? DONE : report_option(option);
}

int parse_fstab_options(struct fstab_options *o, char *list)
{
	char *option;

	if (!quotes_are_closed(list))
		return report_usage("-o %s: a quote is not closed", list);
	while ((option = cut_quoted_option(&list))) {
		int status = *option ? parse_fstab_option(o, option) : DONE;

		if (status != DONE)
			return status;
	}
	return DONE;
}

int complete_fstab_options(struct fstab_options *o)
{
	int status;

	if (o->mount.mapped_flags == (IDM_TREE_REMAP | IDM_TREE_ON_TOP))
		return report_usage("remap and on-top exclude each other");
	if (o->mount.skip_unmappable && !o->mount.recursive)
		return report_usage("skip-unmappable requires recursive");
	if (o->maps.owner_text && o->mount.mapped_flags & IDM_TREE_REMAP)
		return refuse_owner_of_mapped("", "remap");
	if (o->maps.owner_text)
		return DONE;
	status = complete_map(&o->maps, "-o map=MAP");
	o->mount.map = o->maps.map;
	return status;
}

int complete_fstab_owner(struct fstab_options *o, const char *source)
{
	int status = DONE;

	if (o->maps.owner_text)
		status = complete_map_of_source(&o->maps, "-o map=MAP", source);
	o->mount.map = o->maps.map;
	return status;
}
