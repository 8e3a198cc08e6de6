// SPDX-License-Identifier: MIT
/* Verdicts about the process that mounted an overlay, in a layer. */
#include "layer-check.h"
#include "lib/sys/userns-parents.h"

#define EVERY_CAPABILITY (~0ULL)

/* The overlay has a copy of the layer's mount, whose flags do not count. */
static void become_mounter(const struct mounter *mounter, struct idm_explain_options *facts)
{
	facts->attr = 0;
	facts->userns_map = mounter->userns_map;
	facts->capabilities = EVERY_CAPABILITY;
	facts->fsuid = mounter->uid;
	facts->fsgid = mounter->gid;
	facts->n_groups = 0;
}

/* Where the filesystem of the layer was mounted. */
static uint64_t find_mounter_capabilities(const struct mounter *mounter, int fs_userns_fd)
{
	const struct idm_userns_member member = { mounter->userns_fd, mounter->uid, EVERY_CAPABILITY };
	uint64_t capabilities = 0;

	if (mounter->userns_fd < 0)
		return EVERY_CAPABILITY;
	if (fs_userns_fd >= 0)
		idm_find_capabilities_in(fs_userns_fd, &member, &capabilities);
	return capabilities;
}

struct verdict begin_layer_verdict(const struct mounter *mounter, const struct idm_explain_info *place)
{
	struct verdict layer = { .place = place,
				 .path = place->path,
				 .facts = IDM_EXPLAIN_OPTIONS_INIT };

	idm_explain_copy(place->facts, &layer.facts);
	become_mounter(mounter, &layer.facts);
	layer.facts.fs_capabilities = find_mounter_capabilities(mounter, place->fs_userns_fd);
	return layer;
}

int find_mounter_errnum(const struct mounter *mounter, const struct idm_explain_info *place,
			enum idm_access access)
{
	struct verdict layer = begin_layer_verdict(mounter, place);

	layer.facts.access = access;
	return fill_in_verdict(&layer, NULL) == 0 ? layer.result.errnum : 0;
}
