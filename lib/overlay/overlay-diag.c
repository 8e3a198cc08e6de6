// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "internal.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/list/mount-place.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/fs-context.h"
#include "lib/sys/refused.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_overlay = IDM_STEP_OPEN_OVERLAY;

/* overlayfs opens the directories as the caller, so Landlock's rules for the caller apply. */
static bool is_closed(int code, const char *path, struct idm_error *err)
{
	if (code != -EACCES || !idm_module_refuses_mounts())
		return false;
	idm_fail(err, code, step_overlay, path,
		 "a security module such as Landlock prevents overlayfs from opening a directory");
	idm_hint(err, "a process outside of the Landlock domain can create and attach the overlay");
	return true;
}

int idm_diagnose_no_layer(int code, int fs, const struct idm_layer *layer, struct idm_error *err)
{
	const char *path = layer->path.path;

	if (!err)
		return code;
	switch (code) {
	case -EINVAL:
		idm_fail(err, code, step_overlay, path, "the kernel does not accept it as %s",
			 strcmp(layer->key, "upperdir") == 0   ? "an upper directory"
			 : strcmp(layer->key, "workdir") == 0  ? "a work directory"
			 : strcmp(layer->key, "datadir+") == 0 ? "a data-only layer"
							       : "a layer");
		break;
	case -EPERM:
		idm_fail(err, code, step_overlay, path,
			 "it is on a mount of another mount namespace, or the caller lacks "
			 "CAP_SYS_ADMIN");
		break;
	default:
		if (!is_closed(code, path, err))
			idm_fail_errno(err, code, step_overlay, path);
	}
	idm_add_fs_log(fs, err);
	return code;
}

static int diagnose_no_option(int code, int fs, const struct idm_mount_option *option,
			      struct idm_error *err)
{
	if (!err)
		return code;
	idm_fail_because(err, code, step_overlay, option->name,
			 code == -EINVAL ? "this kernel's overlayfs does not accept the option" : NULL);
	idm_add_fs_log(fs, err);
	return code;
}

int idm_overlay_set_option(int fs, const struct idm_mount_option *option, struct idm_error *err)
{
	int r = option->value ? idm_sys_fsconfig(fs, FSCONFIG_SET_STRING, option->name, option->value, 0)
			      : idm_sys_fsconfig(fs, FSCONFIG_SET_FLAG, option->name, NULL, 0);

	return r < 0 ? diagnose_no_option(r, fs, option, err) : 0;
}

static const char *subject_of(const struct idm_overlay_options *o)
{
	return o->upper ? o->upper->path : o->lower[0].path;
}

/* overlayfs copies the mount of each layer, which works only in the mount's own namespace. */
static bool layer_is_elsewhere(int code, const struct idm_path *path, struct idm_error *err)
{
	AUTO_CLOSE int fd = path ? idm_sys_openat(path->dirfd, path->path, O_PATH, 0) : -1;
	enum idm_place place = fd < 0 ? IDM_PLACE_OWN : idm_place_of(fd);

	if (place == IDM_PLACE_OWN)
		return false;
	idm_fail(err, code, step_overlay, path->path, "the layer %s", idm_place_text(place));
	return true;
}

static bool is_elsewhere(int code, const struct idm_overlay_options *o, struct idm_error *err)
{
	bool found = layer_is_elsewhere(code, o->upper, err) || layer_is_elsewhere(code, o->work, err);

	for (size_t i = 0; i < o->n_lower && !found; i++)
		found = layer_is_elsewhere(code, &o->lower[i], err);
	return found;
}

/* mount(2) reports no reason. A context that is never created names the option (Linux 6.5). */
static bool is_option_wrong(const struct idm_overlay_options *o, struct idm_error *err)
{
	AUTO_CLOSE int fs = o->n_options ? idm_sys_fsopen("overlay", 0) : -1;
	int r = 0;

	for (size_t i = 0; i < o->n_options && fs >= 0 && r == 0; i++)
		r = idm_overlay_set_option(fs, &o->options[i], err);
	return r < 0;
}

int idm_diagnose_no_overlay(int code, int fs, const struct idm_overlay_options *o, struct idm_error *err)
{
	if (!err)
		return code;
	switch (code) {
	case -ELOOP:
		idm_fail(err, code, step_overlay, subject_of(o), "one layer is inside another layer");
		break;
	case -EBUSY:
		idm_fail(err, code, step_overlay, subject_of(o),
			 "the upper or the work directory is in use by another overlay");
		break;
	case -ESTALE:
		idm_fail(err, code, step_overlay, subject_of(o),
			 "the upper directory was used with other layers before (index)");
		break;
	case -EPERM:
		idm_fail(err, code, step_overlay, subject_of(o),
			 "the kernel does not allow the caller to create this overlay");
		idm_hint(err, "options with trusted extended attributes (metacopy, redirect_dir, index, "
			      "nfs_export) require CAP_SYS_ADMIN in the initial user namespace; all "
			      "overlays do before Linux 5.11");
		break;
	case -EINVAL:
		if (fs < 0 && is_option_wrong(o, err))
			return code;
		if (is_elsewhere(code, o, err))
			break;
		idm_fail(err, code, step_overlay, subject_of(o),
			 "overlayfs rejects these layers or options");
		if (o->n_data && idm_kernel_is_before(6, 8)) {
			idm_hint(err,
				 "data-only layers are not supported by this kernel (needs Linux 6.8)");
			break;
		}
		idm_hint(err, "a filesystem may be unsuitable for a layer, or options may exclude each "
			      "other; dmesg shows the kernel's reason");
		break;
	default:
		if (!is_closed(code, subject_of(o), err))
			idm_fail_errno(err, code, step_overlay, subject_of(o));
	}
	idm_add_fs_log(fs, err);
	return code;
}
