// SPDX-License-Identifier: MIT
#include "options.h"

#include <stdlib.h>
#include <string.h>

#include "cli/common/quoted-options.h"
#include "cli/common/report.h"
#include "lib/base/array.h"
#include "lib/base/lowerdir.h"
#include "lib/base/macros.h"
#include "mappings.h"

int overlay_request_init(struct overlay_request *q)
{
	*q = (struct overlay_request){ 0 };
	return idm_map_new(&q->mappings) < 0 ? out_of_memory() : DONE;
}

void overlay_request_free(struct overlay_request *q)
{
	idm_map_free(q->mappings);
	free(q->lower);
	free(q->empty);
	free(q->options);
}

/* ---- directories and maps ---- */

static int add_lower(char *path, bool data_only, void *data)
{
	struct overlay_request *q = data;
	const char **new;

	if (data_only)
		return report_usage("lowerdir: expected no data-only layers, got %s", path);
	new = idm_array_append(&q->lower, &q->n_lower, sizeof(*new));
	if (!new)
		return out_of_memory();
	*new = path;
	return DONE;
}

static int read_lowerdir(struct overlay_request *q, char *value)
{
	int status;

	if (q->n_lower)
		return report_usage("lowerdir: expected one list, got a second one");
	status = idm_split_lowerdir(value, add_lower, q);
	return status < 0 ? report_usage("lowerdir: a layer is missing beside a colon") : status;
}

static int read_directory(const char **directory, const char *name, const char *value)
{
	if (*directory)
		return report_usage("%s: expected one directory, got a second one", name);
	if (!*value)
		return report_usage("%s: the directory's name is empty", name);
	*directory = value;
	return DONE;
}

static int read_upperdir(struct overlay_request *q, char *value)
{
	return read_directory(&q->upper, "upperdir", value);
}

static int read_workdir(struct overlay_request *q, char *value)
{
	return read_directory(&q->work, "workdir", value);
}

static int read_uidmapping(struct overlay_request *q, char *value)
{
	return add_triples(q->mappings, IDM_UID, "uidmapping", value);
}

static int read_gidmapping(struct overlay_request *q, char *value)
{
	return add_triples(q->mappings, IDM_GID, "gidmapping", value);
}

/* ---- words that are not for the kernel ---- */

/* The kernel refuses metacopy=on together with userxattr, and turns redirect_dir off. */
static int ignore_option(const char *name)
{
	report_note("%s is ignored, because it excludes userxattr", name);
	return DONE;
}

static int ignore_metacopy(struct overlay_request *q, char *value)
{
	(void)q;
	return strcmp(value, "off") == 0 ? DONE : ignore_option("metacopy");
}

static int ignore_redirect(struct overlay_request *q, char *value)
{
	(void)q;
	return strcmp(value, "off") == 0 ? DONE : ignore_option("redirect_dir");
}

/* Without "=" the value is "". */
static const struct {
	const char *name;
	int (*read)(struct overlay_request *q, char *value);
} values[] = {
	{ "lowerdir", read_lowerdir },	     { "upperdir", read_upperdir },
	{ "workdir", read_workdir },	     { "uidmapping", read_uidmapping },
	{ "gidmapping", read_gidmapping },   { "metacopy", ignore_metacopy },
	{ "redirect_dir", ignore_redirect },
};

#define FORCE_MASK "xattr_permissions" /* as containers/storage passes force_mask of storage.conf */

/* Options of fuse-overlayfs and libfuse. */
static const char *const fuse_only[] = {
	"squash_to_root",
	"squash_to_uid",
	"squash_to_gid",
	FORCE_MASK,
	"static_nlink",
	"threaded",
	"fsync",
	"noacl",
	"timeout",
	"fast_ino",
	"plugins",
	"force_mask",
	"allow_other",
	"allow_root",
	"auto_unmount",
	"default_permissions",
	"clone_fd",
	"max_threads",
	"max_idle_threads",
	"fsname",
	"subtype",
	"debug",
};

static bool is_fuse_only(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(fuse_only); i++)
		if (strcmp(fuse_only[i], name) == 0)
			return true;
	return false;
}

static int refuse_fuse_only(const char *name)
{
	if (strncmp(name, "squash_to_", strlen("squash_to_")) == 0)
		return report_usage("%s: expected a one-to-one map, got all IDs as one; the kernel's "
				    "overlay cannot do that, fuse-overlayfs can",
				    name);
	if (strcmp(name, FORCE_MASK) == 0 || strcmp(name, "force_mask") == 0)
		return report_usage(
			"%s: the kernel's overlay cannot store permissions in extended "
			"attributes, fuse-overlayfs can; remove force_mask from storage.conf",
			name);
	return report_usage("%s: expected an option of the kernel's overlay, got one of fuse-overlayfs",
			    name);
}

/* ---- one option ---- */

static int pass_to_kernel(struct overlay_request *q, char *name, char *value)
{
	struct idm_mount_option *new = idm_array_append(&q->options, &q->n_options, sizeof(*new));

	if (!new)
		return out_of_memory();
	*new = (struct idm_mount_option){ name, value };
	return DONE;
}

/* `name` and `value` are one option, cut at "="; value is NULL without one. */
static int read_overlay_option(struct overlay_request *q, char *name, char *value)
{
	char none[] = "";

	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		if (strcmp(values[i].name, name) == 0)
			return values[i].read(q, value ? value : none);
	if (is_fuse_only(name))
		return refuse_fuse_only(name);
	if (strcmp(name, "userxattr") == 0) /* it is always set */
		return DONE;
	return pass_to_kernel(q, name, value);
}

static int add_overlay_option(struct overlay_request *q, char *option)
{
	char *value = strchr(option, '=');

	if (!value && add_mount_option(&q->attributes, option, strlen(option)))
		return DONE;
	if (has_wrong_value(option, strlen(option)))
		return report_wrong_value("", option, strlen(option));
	if (value)
		*value++ = '\0';
	return read_overlay_option(q, option, value);
}

/* containers/storage of podman 4.3 writes empty options between two commas. */
int add_overlay_options(struct overlay_request *q, char *list)
{
	char *option;
	int status = DONE;

	if (!quotes_are_closed(list))
		return report_usage("-o %s: a quote is not closed", list);
	while (status == DONE && (option = cut_quoted_option(&list)))
		status = *option ? add_overlay_option(q, option) : DONE;
	return status;
}

int check_overlay_options(const struct overlay_request *q)
{
	if (!q->n_lower)
		return report_usage("a lower layer is missing: lowerdir=");
	if (!q->upper != !q->work)
		return report_usage("upperdir= and workdir= require each other");
	return DONE;
}
