// SPDX-License-Identifier: MIT
#include "mount.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "device.h"
#include "exposure.h"
#include "harden.h"
#include "idmap-options.h"
#include "mappable-tree.h"
#include "report.h"

static int open_root_of_path(const char *root)
{
	int fd;

	if (!root)
		return AT_FDCWD;
	fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	report_failure("%s: open root: %s", root, strerror(errno));
	return -1;
}

static int open_requested_tree(const struct mount_request *request,
			       const struct mount_options *mount_options)
{
	struct idm_tree_options options = IDM_TREE_OPTIONS_INIT;
	struct idm_error err;
	int userns = idm_userns_open(request->map, 0, &err), tree;

	if (userns < 0) {
		report_error(&err);
		return -1;
	}
	report_step("made a user namespace with this map");
	/* The service allows a user nothing that the user cannot do in another way, so it may be asked.
	 */
	options.flags = (request->mapped_flags ? request->mapped_flags : IDM_TREE_SERVICE) |
			(request->recursive ? IDM_TREE_RECURSIVE : 0);
	options.attr_set = mount_options->set;
	options.attr_clear = mount_options->clear;
	/* An unbindable tree cannot be attached below a shared mount, so it becomes unbindable there. */
	if (mount_options->propagation != IDM_PROPAGATION_UNBINDABLE)
		options.propagation = mount_options->propagation;
	tree = request->skip_unmappable
		       ? open_mappable_tree(request->source, userns, &options, &err)
		       : idm_tree_open(AT_FDCWD, request->source, userns, &options, &err);
	close(userns);
	if (tree < 0)
		report_failed_mapping(&err, request->keep_rest);
	else
		report_step("copied %s%s, and mapped the copy", request->source,
			    request->recursive ? " and the mounts below" : "");
	return tree;
}

/* Directories of a dry run would stay. */
static bool would_create_target(const struct mount_request *request, int root)
{
	return request->dry_run && request->mkdir &&
	       faccessat(root, request->target + (root >= 0 ? strspn(request->target, "/") : 0), F_OK,
			 AT_EACCESS) < 0 &&
	       errno == ENOENT;
}

static int attach_request(const struct mount_request *request, int tree,
			  enum idm_propagation propagation)
{
	struct idm_attach_options options = IDM_ATTACH_OPTIONS_INIT;
	int root = open_root_of_path(request->root), r = 0;
	struct idm_error err;

	if (root == -1)
		return FAILED;
	options.flags = (request->mkdir ? IDM_ATTACH_MKDIR : 0) |
			(request->replace ? IDM_ATTACH_REPLACE : 0) |
			(request->root ? IDM_ATTACH_IN_ROOT : 0);
	options.propagation = propagation;
	if (would_create_target(request, root))
		report_step("%s: would be created, and is not tried", request->target);
	else
		r = idm_tree_attach(tree, root, request->target, &options, &err);
	if (root >= 0)
		close(root);
	if (r < 0)
		return report_error(&err);
	report_step("attached the copy at %s%s%s", request->root ? request->root : "",
		    request->root ? ", " : "", request->target);
	return DONE;
}

/* A new filesystem has no mounts below, and no map. */
static int check_device_request(const struct mount_request *request, bool device)
{
	if (!device && request->type)
		return report_usage("%s %s: expected a block device as source, got %s",
				    request->type_option, request->type, request->source);
	if (device && (request->recursive || request->mapped_flags))
		return report_usage(
			"%s: a block device has neither mounts below it nor a map; leave out "
			"recursive, remap and on-top",
			request->source);
	return DONE;
}

int do_mount(const struct mount_request *request)
{
	struct mount_options mount_options = request->mount_options;
	const struct idm_path source = { AT_FDCWD, request->source };
	struct exposed exposed = { 0 };
	struct hardening hardening;
	struct idm_error err;
	bool device = is_device_source(request->source);
	int tree, status, r = idm_map_check(request->map, &err);

	if (r < 0) {
		report_error(&err);
		return USAGE;
	}
	status = check_device_request(request, device);
	if (status != DONE)
		return status;
	report_map_step(request->map);
	if (!device)
		report_path_step("source", request->source);
	hardening = harden_options(&mount_options, request->map, IDM_HARDEN_MOUNT, NULL);
	/* Before the mount: the target may be the source, and cover it. */
	if (!device)
		look_for_exposure(&exposed, &source, request->map, &mount_options);
	tree = device ? open_device_tree(request, &mount_options)
		      : open_requested_tree(request, &mount_options);
	if (tree < 0)
		return FAILED;
	status = attach_request(request, tree, mount_options.propagation);
	close(tree);
	if (status != DONE)
		return status;
	report_hardening(&hardening, request->suid_options);
	report_exposed(&exposed);
	return DONE;
}
