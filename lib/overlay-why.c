// SPDX-License-Identifier: MIT
#include <errno.h>
#include <string.h>

#include "error.h"
#include "filesystem.h"
#include "kernel.h"
#include "overlay.h"

static const char step_overlay[] = "open overlay";

int idm_why_no_layer(int code, int fs, const struct idm_layer *layer, struct idm_error *err)
{
	const char *path = layer->path.path;

	if (!err)
		return code;
	switch (code) {
	case -EINVAL:
		idm_fail(err, code, step_overlay, path, "the kernel does not take it as %s",
			 strcmp(layer->key, "upperdir") == 0   ? "an upper directory"
			 : strcmp(layer->key, "workdir") == 0  ? "a work directory"
			 : strcmp(layer->key, "datadir+") == 0 ? "a data-only layer"
							       : "a layer");
		break;
	case -EPERM:
		idm_fail(err, code, step_overlay, path,
			 "it is on a mount of another mount namespace, or the caller may not mount");
		break;
	default:
		idm_fail(err, code, step_overlay, path, NULL);
	}
	idm_add_filesystem_words(fs, err);
	return code;
}

int idm_why_no_option(int code, int fs, const struct idm_overlay_option *option, struct idm_error *err)
{
	if (!err)
		return code;
	idm_fail(err, code, step_overlay, option->name,
		 code == -EINVAL ? "this kernel's overlayfs does not take the option" : NULL);
	idm_add_filesystem_words(fs, err);
	return code;
}

static const char *subject_of(const struct idm_overlay *o)
{
	return o->upper ? o->upper->path : o->lower[0].path;
}

int idm_why_no_overlay(int code, int fs, const struct idm_overlay *o, struct idm_error *err)
{
	if (!err)
		return code;
	switch (code) {
	case -ELOOP:
		idm_fail(err, code, step_overlay, subject_of(o),
			 "one of its layers lies in another one");
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
			 "it needs CAP_SYS_ADMIN in the initial user namespace");
		break;
	case -EINVAL:
		idm_fail(err, code, step_overlay, subject_of(o),
			 "overlayfs refuses these layers or options");
		if (o->n_data && idm_kernel_is_before(6, 8)) {
			idm_hint(err, "data-only layers need Linux 6.8");
			break;
		}
		idm_hint(err,
			 "a filesystem that cannot be an upper or a lower layer, or options that do not "
			 "go together; dmesg has the kernel's reason");
		break;
	default:
		idm_fail(err, code, step_overlay, subject_of(o), NULL);
	}
	idm_add_filesystem_words(fs, err);
	return code;
}
