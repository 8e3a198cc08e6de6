// SPDX-License-Identifier: MIT
/* The part of a request for mounts and the root. */
#include <errno.h>
#include <string.h>

#include "internal.h"
#include "lib/base/error.h"
#include "lib/mount/staging.h"
#include "lib/sys/file-type.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step = IDM_STEP_START_PROGRAM;

/* Stores "a=b,c" as pairs of a name and a value or 0. It splits a copy of the text. */
static int add_mount_options(struct idm_block *block, const char *options,
			     struct idm_request_mount *mount, struct idm_error *err)
{
	uint32_t text = idm_block_add_string(block, options), n = 1, at;

	for (const char *p = options; *p; p++)
		n += *p == ',';
	at = idm_block_reserve(block, n * 2 * sizeof(uint32_t));
	if (!at)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		char *option = block->data + text;
		size_t length = strcspn(option, ","), name = strcspn(option, "=,");

		if (name == 0)
			return idm_fail(err, -EINVAL, step, options,
					"expected NAME or NAME=VALUE, got an option without a name");
		IDM_BLOCK_ELEMENT(block, at, uint32_t, 2 * i)[0] = text;
		if (name < length)
			IDM_BLOCK_ELEMENT(block, at, uint32_t, 2 * i)[1] = text + (uint32_t)name + 1;
		option[name] = '\0';
		option[length] = '\0';
		text += (uint32_t)length + 1;
	}
	mount->options = at;
	mount->n_options = n;
	return 0;
}

/* Stores "/a//b/./" as "/a/b": a trailing slash would make the kernel follow a link at the end. */
static uint32_t add_target(struct idm_block *block, const char *target)
{
	uint32_t at = idm_block_reserve(block, strlen(target) + 1), n = 0;

	while (at && *target) {
		size_t length;

		target += strspn(target, "/");
		length = strcspn(target, "/");
		if (length && !(length == 1 && *target == '.')) {
			block->data[at + n++] = '/';
			memcpy(block->data + at + n, target, length);
			n += (uint32_t)length;
		}
		target += length;
	}
	return at;
}

static int add_request_mount(struct idm_block *block, const struct idm_child_mount *o,
			     struct idm_request_mount *mount, struct idm_error *err)
{
	mode_t type;
	int r = 0;

	*mount = (struct idm_request_mount){ .attr = o->attr, .flags = o->flags, .tree = -1 };
	mount->target = add_target(block, o->target);
	mount->fstype = idm_block_add_string(block, o->fstype);
	mount->source = idm_block_add_string(block, o->source ? o->source : o->fstype);
	if (o->options && *o->options)
		r = add_mount_options(block, o->options, mount, err);
	if (o->fstype || o->flags & IDM_CHILD_MOUNT_REBIND)
		return r;
	mount->tree = o->tree_fd;
	r = idm_file_type(o->tree_fd, &type);
	if (r == -EBADF)
		return idm_fail(err, r, step, o->target, "descriptor %d is not open", o->tree_fd);
	if (r < 0)
		return idm_fail(err, r, step, o->target, "descriptor %d: %s", o->tree_fd,
				idm_errno_text(-r));
	mount->is_file = !S_ISDIR(type);
	return 0;
}

int idm_request_add_mounts(struct idm_block *block, const struct idm_child_options *o,
			   struct idm_error *err)
{
	uint32_t at = idm_block_reserve(block, o->n_mounts * sizeof(struct idm_request_mount));
	int r = 0;

	for (size_t i = 0; i < o->n_mounts && r == 0 && at; i++) {
		struct idm_child_mount option = idm_child_get_mount(o, i);
		struct idm_request_mount mount;

		r = add_request_mount(block, &option, &mount, err);
		*IDM_BLOCK_ELEMENT(block, at, struct idm_request_mount, i) = mount;
	}
	idm_block_request(block)->mounts = at;
	idm_block_request(block)->n_mounts = (uint32_t)o->n_mounts;
	return r;
}

int idm_request_add_root(struct idm_block *block, const struct idm_child_options *o,
			 struct idm_error *err)
{
	struct idm_request *request = idm_block_request(block);
	int r = idm_staging_check(o->staging_fd, err);

	if (r < 0)
		return r;
	if (o->namespaces & IDM_NS_MOUNT)
		request->flags |= IDM_REQUEST_NEW_MOUNT;
	if (o->root_fd >= 0)
		request->flags |= IDM_REQUEST_PIVOT;
	request->root_fd = o->root_fd;
	request->staging_fd = o->staging_fd;
	request->propagation = o->propagation == IDM_PROPAGATION_SLAVE ? MS_SLAVE : MS_PRIVATE;
	return idm_child_check_open(o->root_fd, IDM_STEP_ATTACH_ROOT, err);
}
