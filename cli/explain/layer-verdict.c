// SPDX-License-Identifier: MIT
/*
 * The second check of an overlay: ovl_permission() in fs/overlayfs/inode.c. The process that mounted the
 * overlay has to have the same access to the file in its layer. For a file that would be copied up, it
 * has to be able to read that.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "layer-check.h"

/* ---- accesses ---- */

static size_t list_search_and(enum idm_access access, enum idm_access list[2])
{
	list[0] = IDM_ACCESS_EXECUTE;
	list[1] = access;
	return 2;
}

/* ovl_check_empty_dir(): the mounter reads a directory that a lower layer has, too. */
static size_t list_removal_accesses(const struct verdict *v, const struct layer_file *file,
				    enum idm_access list[2])
{
	size_t n = 0;

	if (S_ISDIR(v->facts.inode->mode) && (file->lower || file->below.n > 1))
		list[n++] = IDM_ACCESS_READ;
	if (!file->lower)
		list[n++] = IDM_ACCESS_UNLINK;
	return n;
}

/* Those that the mounter requires in the layer, one after the other. Returns how many. */
static size_t list_layer_accesses(const struct verdict *v, const struct layer_file *file,
				  enum idm_access list[2])
{
	bool copies = file->lower && !is_special_file(v->facts.inode->mode);

	list[0] = v->facts.access;
	list[1] = copies ? IDM_ACCESS_READ : IDM_ACCESS_WRITE;
	switch (v->facts.access) {
	case IDM_ACCESS_WRITE:
		list[0] = list[1];
		return 1;
	case IDM_ACCESS_EXECUTE:
		/* The mounter opens a program to read it. */
		list[1] = IDM_ACCESS_READ;
		return S_ISREG(v->facts.inode->mode) ? 2 : 1;
	case IDM_ACCESS_CREATE:
		return list_search_and(list[1], list);
	case IDM_ACCESS_UNLINK:
		return v->place->is_last ? list_removal_accesses(v, file, list)
					 : list_search_and(list[1], list);
	case IDM_ACCESS_CHMOD:
	case IDM_ACCESS_CHOWN:
		return file->lower ? 0 : 1;
	default:
		return 1;
	}
}

/* ---- verdicts ---- */

static int refuse_by_layer(struct layer_check *check, struct verdict *layer)
{
	struct verdict *v = check->v;
	char text[VERDICT_TEXT / 2];

	/* Such a doubt is one about the access. */
	if (layer->is_unknown)
		check->doubt = layer->doubt;
	layer->is_unknown = false;
	describe_refusal(layer, text, sizeof(text));
	snprintf(v->layer_reason, sizeof(v->layer_reason),
		 "in its layer, to user %u, which mounted the overlay: %s", layer->facts.fsuid, text);
	v->reason = v->layer_reason;
	v->is_refused_in_layer = true;
	v->result.errnum = layer->result.errnum;
	return 1;
}

/*
 * chown(2) counts inside the user namespace of the process. The kernel requires no number of the mounter
 * for a new owner, only the right to change the old one: root's number stands for those without one.
 */
static uint32_t convert_owner(const struct idm_map *from, const struct idm_map *to, unsigned int kind,
			      uint32_t inside)
{
	uint32_t id = inside;

	if (inside == IDM_EXPLAIN_NO_ID)
		return inside;
	if (from && idm_map_to_seen(from, kind, inside, &id) < 0)
		return 0;
	return !to || idm_map_to_disk(to, kind, id, &id) == 0 ? id : 0;
}

static void convert_new_owner(const struct verdict *v, struct idm_explain_options *facts)
{
	const struct idm_map *from = v->facts.userns_map;

	facts->new_uid = convert_owner(from, facts->userns_map, IDM_UID, v->facts.new_uid);
	facts->new_gid = convert_owner(from, facts->userns_map, IDM_GID, v->facts.new_gid);
}

static int judge_mounter(struct layer_check *check, const struct idm_explain_info *place, size_t i)
{
	const struct mounter *mounter = &check->mounters.list[i];
	struct verdict *v = check->v, layer;
	enum idm_access accesses[2] = { IDM_ACCESS_READ };
	size_t n = list_layer_accesses(v, check->file, accesses);

	if (!can_create(mounter, &v->facts))
		return refuse_creator(v);
	layer = begin_layer_verdict(mounter, place);
	convert_new_owner(v, &layer.facts);
	/* Each verdict has the owner, too. */
	for (size_t k = 0; k == 0 || k < n; k++) {
		layer.facts.access = n ? accesses[k] : IDM_ACCESS_READ;
		if (fill_in_verdict(&layer, NULL) == 0 && n && layer.result.errnum)
			return refuse_by_layer(check, &layer);
	}
	note_copy(check, i, place, &layer.result);
	return judge_copy(check, i) || judge_new_owner(check);
}

static void judge_mounters(struct layer_check *check, const struct idm_explain_info *place)
{
	for (size_t i = 0; i < check->mounters.n; i++)
		check->refused |= (unsigned int)judge_mounter(check, place, i) << i;
	check->is_judged = true;
}

static int judge_layer_file(const struct idm_explain_info *place, void *data)
{
	if (place->is_last)
		judge_mounters(data, place);
	return 0;
}

/* ---- directories that are merged ---- */

/*
 * The mounter reads each of them, or looks a name up in one after the other. Returns false if the others
 * do not matter. A search depends on the name: a layer above may have it.
 */
static bool get_merged_access(const struct verdict *v, enum idm_access *access)
{
	if (!S_ISDIR(v->facts.inode->mode) || !v->place->is_last)
		return false;
	*access = v->facts.access == IDM_ACCESS_CREATE ? IDM_ACCESS_EXECUTE : v->facts.access;
	if (v->facts.access == IDM_ACCESS_UNLINK)
		*access = IDM_ACCESS_READ; /* rmdir(2) requires that it is empty */
	return *access == IDM_ACCESS_READ || *access == IDM_ACCESS_EXECUTE;
}

static int judge_merged_file(const struct idm_explain_info *place, void *data)
{
	struct layer_check *check = data;
	enum idm_access access;

	if (!place->is_last || !get_merged_access(check->v, &access))
		return 0;
	for (size_t i = 0; i < check->mounters.n; i++) {
		struct verdict layer = begin_layer_verdict(&check->mounters.list[i], place);

		layer.facts.access = access;
		if (fill_in_verdict(&layer, NULL) == 0 && layer.result.errnum)
			check->refused |= (unsigned int)refuse_by_layer(check, &layer) << i;
	}
	return 0;
}

static void judge_merged(struct layer_check *check)
{
	const struct layer_stack *below = &check->file->below;

	for (size_t i = 1; i < below->n; i++)
		if (idm_explain_path(0, below->list[i].path, IDM_EXPLAIN_NOFOLLOW, judge_merged_file,
				     check, NULL) < 0)
			check->is_judged = false;
	if (check->refused && check->v->facts.access == IDM_ACCESS_EXECUTE && !check->v->is_new_name)
		check->doubt = "a layer above it has the name";
}

/* ---- files whose data is in a layer below (metacopy) ---- */

static bool requires_data(const struct verdict *v)
{
	return S_ISREG(v->facts.inode->mode) && v->place->is_last &&
	       v->facts.access <= IDM_ACCESS_EXECUTE;
}

/* The mounter reads them. */
static int judge_data_file(const struct idm_explain_info *place, void *data)
{
	struct layer_check *check = data;

	for (size_t i = 0; place->is_last && i < check->mounters.n; i++) {
		struct verdict layer = begin_layer_verdict(&check->mounters.list[i], place);

		layer.facts.access = IDM_ACCESS_READ;
		if (fill_in_verdict(&layer, NULL) == 0 && layer.result.errnum)
			check->refused |= (unsigned int)refuse_by_layer(check, &layer) << i;
	}
	return 0;
}

/* For a file in the upper layer, writing copies the data of the next one. */
static int judge_data_owner(const struct idm_explain_info *place, void *data)
{
	struct layer_check *check = data;

	for (size_t i = 0; place->is_last && i < check->mounters.n; i++) {
		struct verdict layer = begin_layer_verdict(&check->mounters.list[i], place);

		layer.facts.access = IDM_ACCESS_READ;
		if (fill_in_verdict(&layer, NULL) == 0)
			check->refused |= (unsigned int)judge_data_copy(check, i, &layer.result) << i;
	}
	return 0;
}

static void judge_data(struct layer_check *check)
{
	const struct layer_stack *below = &check->file->below;
	bool is_judged = true;

	if (!requires_data(check->v) || below->n < 2)
		return;
	if (check->v->facts.access == IDM_ACCESS_WRITE && below->list[0].layer == 0)
		is_judged = idm_explain_path(0, below->list[1].path, IDM_EXPLAIN_NOFOLLOW,
					     judge_data_owner, check, NULL) == 0;
	if (is_judged && !check->refused)
		is_judged = idm_explain_path(0, below->list[below->n - 1].path, IDM_EXPLAIN_NOFOLLOW,
					     judge_data_file, check, NULL) == 0;
	check->is_judged &= is_judged;
}

/* ---- all of them ---- */

/*
 * An overlay shows mode, ACL and owner of the file in the layer, as the layer's mount shows them. So the
 * layer itself is only required for what depends on the layer that it is, or on an ID on disk.
 */
static bool is_judged_as_shown(const struct verdict *v)
{
	return v->facts.access == IDM_ACCESS_READ || v->facts.access == IDM_ACCESS_EXECUTE;
}

static void note_other_refusal(struct verdict *v, int errnum, const char *other_case)
{
	if (v->result.errnum == errnum)
		return;
	v->other_errnum = errnum;
	v->other_case = other_case;
}

static void note_refused_search(struct verdict *v)
{
	note_other_refusal(v, EACCES, "a layer that is not visible refuses the search");
}

/* A layer that is not visible can refuse the search for a name. */
static void doubt_unseen_layers(struct layer_check *check)
{
	struct verdict *v = check->v;
	enum idm_access access;

	if (!check->file->merged_unseen || !get_merged_access(v, &access) ||
	    access != IDM_ACCESS_EXECUTE)
		return;
	if (!check->refused)
		check->is_judged = false;
	else
		note_refused_search(v);
}

static bool are_all_refused(const struct layer_check *check)
{
	return check->refused == (1U << check->mounters.n) - 1;
}

/* If the mounters that are possible differ, the verdict is not known. */
static void judge_layer_of(struct layer_check *check)
{
	struct verdict *v = check->v;

	find_mounters(v->place, v->subject->pid, &check->mounters);
	if (check->mounters.n && *check->file->path)
		idm_explain_path(0, check->file->path, IDM_EXPLAIN_NOFOLLOW, judge_layer_file, check,
				 NULL);
	else if (check->mounters.n)
		judge_mounters(check, v->place);
	if (check->is_judged && (!check->refused || v->facts.access == IDM_ACCESS_CREATE))
		judge_merged(check);
	if (check->is_judged && !check->refused)
		judge_data(check);
	if (check->is_judged)
		doubt_unseen_layers(check);
	if (!check->refused && !check->file->upper_seen && requires_upper(check))
		check->is_judged = false;
	if (check->refused && !are_all_refused(check))
		check->doubt = "another process mounted it";
	v->is_unknown = check->doubt;
	v->doubt = check->doubt;
}

/* A file that a change copies to the upper layer is only read in its own. */
static bool can_be_judged(const struct verdict *v, const struct layer_file *file)
{
	enum idm_access access;

	if (file->merged_unseen && get_merged_access(v, &access) &&
	    v->facts.access != IDM_ACCESS_EXECUTE)
		return false;
	if (*file->path)
		return !file->map_unseen && !(file->merged_unseen && requires_data(v));
	return file->has_options && (is_judged_as_shown(v) || file->is_copied_up);
}

bool judge_layer(struct verdict *v)
{
	struct layer_file file;
	struct layer_check check = { .v = v, .file = &file };

	find_layer_file(v, &file);
	if (!*file.path)
		file.merged_unseen = true;
	if (!*file.path && file.is_copied_up)
		file.lower = 1;
	if (can_be_judged(v, &file))
		judge_layer_of(&check);
	free_mounters(&check.mounters);
	free_layer_file(&file);
	return check.is_judged;
}

/* The overlay itself allows this part of the access. */
static bool get_first_access(const struct verdict *v, struct idm_explain_options *facts)
{
	*facts = v->facts;
	if (v->facts.access == IDM_ACCESS_CREATE) {
		facts->access = IDM_ACCESS_EXECUTE;
		return true;
	}
	facts->attr &= ~(uint32_t)IDM_ATTR_RDONLY;
	return v->facts.access == IDM_ACCESS_WRITE && v->result.rule == IDM_RULE_MOUNT_READONLY;
}

void judge_layer_first(struct verdict *v)
{
	struct verdict first = *v;

	first.is_new_name = v->facts.access == IDM_ACCESS_CREATE;
	if (!get_first_access(v, &first.facts) || fill_in_verdict(&first, NULL) < 0 ||
	    first.result.errnum)
		return;
	if (!judge_layer(&first) && first.is_new_name)
		note_refused_search(v);
	if (first.result.errnum && first.is_unknown)
		note_other_refusal(v, first.result.errnum, "its layer refuses it, which is not certain");
	if (!first.result.errnum || first.is_unknown)
		return;
	first.facts = v->facts;
	*v = first;
	v->reason = v->layer_reason;
}
