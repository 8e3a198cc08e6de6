// SPDX-License-Identifier: MIT
/* A path as text for people: a line for each place on the way, the file, its mount and the process. */
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/common/idmap-options.h"
#include "cli/common/report.h"
#include "lib/base/error.h"
#include "lib/base/mount-attr.h"
#include "lib/sys/capability.h"
#include "draw.h"
#include "report.h"

/* Those by which rules about files permit what a mode or an owner refuses. */
#define FILE_CAPABILITIES \
	(1U << CAP_CHOWN | 1U << CAP_DAC_OVERRIDE | 1U << CAP_DAC_READ_SEARCH | 1U << CAP_FOWNER)

/* "0:100000:65536", or what stands for it. */
static char *format_map(const struct idm_map *map, const char *none)
{
	char *text = map ? format_map_text(map) : strdup(none);

	if (!text || *text)
		return text;
	free(text);
	return strdup("empty");
}

const char *format_id(uint32_t id, char buf[16])
{
	snprintf(buf, 16, "%u", id);
	if (is_hidden_id(id))
		return "not visible";
	return id == IDM_EXPLAIN_NO_ID ? "unmapped" : buf;
}

/* As the process itself counts. */
static void print_inside_ids(const struct idm_map *userns, const char *noun, uint32_t uid, uint32_t gid)
{
	uint32_t user = IDM_EXPLAIN_NO_ID, group = IDM_EXPLAIN_NO_ID;
	char texts[2][16];

	if (!userns)
		return;
	if (idm_map_to_disk(userns, IDM_UID, uid, &user) < 0)
		user = IDM_EXPLAIN_NO_ID;
	if (idm_map_to_disk(userns, IDM_GID, gid, &group) < 0)
		group = IDM_EXPLAIN_NO_ID;
	print_row(MARK_MORE, "         inside: %s %s, group %s", noun, format_id(user, texts[0]),
		  format_id(group, texts[1]));
}

static void print_process_capabilities(const struct idm_explain_options *facts)
{
	char names[CAPABILITY_TEXT], *map = format_map(facts->userns_map, "that of the caller");

	write_capability_names(facts->capabilities & FILE_CAPABILITIES, names);
	print_row(MARK_MORE, "         capabilities for files: %s", *names ? names : "none");
	print_row(MARK_MORE, "         user namespace: %s", map ? map : "?");
	free(map);
}

void print_process(const struct idm_explain_options *facts)
{
	char groups[256] = "";

	for (size_t i = 0, n = 0; i < facts->n_groups && n + 16 < sizeof(groups); i++)
		n += (size_t)snprintf(groups + n, sizeof(groups) - n, " %u", facts->groups[i]);
	print_row(MARK_STEP, "process  user %u, group %u, groups%s", facts->fsuid, facts->fsgid,
		  *groups ? groups : " none");
	print_inside_ids(facts->userns_map, "user", facts->fsuid, facts->fsgid);
	print_process_capabilities(facts);
}

static void print_inode(const char *label, const char *path, const struct idm_explain_inode *inode)
{
	char uid[16], gid[16];

	print_row(MARK_STEP, "%-8s %s: owner %s, group %s, mode %04o%s%s%s", label, path,
		  format_id(inode->uid, uid), format_id(inode->gid, gid), inode->mode & 07777U,
		  inode->flags & IDM_INODE_ACL ? ", ACL" : "",
		  inode->flags & IDM_INODE_IMMUTABLE ? ", immutable" : "",
		  inode->flags & IDM_INODE_APPEND ? ", append only" : "");
}

static void print_class(const char *name, unsigned int bits)
{
	print_row(MARK_MORE, "         %s::%s%s%s", name, bits & 4 ? "r" : "-", bits & 2 ? "w" : "-",
		  bits & 1 ? "x" : "-");
}

static void print_acl(const struct idm_explain_inode *inode)
{
	if (inode->flags & IDM_INODE_ACL) {
		print_class("group", inode->acl_group);
		print_class("mask", inode->mode >> 3);
	}
	for (size_t i = 0; i < inode->n_acl; i++) {
		const struct idm_acl_entry *e = &inode->acl[i];
		char id[16];

		print_row(MARK_MORE, "         %s:%s:%s%s%s", e->kind == IDM_UID ? "user" : "group",
			  e->id == IDM_EXPLAIN_NO_ID ? "unknown" : format_id(e->id, id),
			  e->permissions & 4 ? "r" : "-", e->permissions & 2 ? "w" : "-",
			  e->permissions & 1 ? "x" : "-");
	}
}

static void print_mount(const struct idm_explain_info *place)
{
	static const char *const suffixes[] = { [IDM_MAP_PARTLY] = " (partly visible)",
						[IDM_MAP_INVISIBLE] = "not visible from here",
						[IDM_MAP_UNREADABLE] = "not readable on this kernel" };
	const struct idm_mount_info *mount = place->mount;
	bool unseen = mount && place->unseen & IDM_UNSEEN_MOUNT_MAP;
	const char *suffix = unseen ? suffixes[mount->map_state] : "";
	char *map = unseen && !mount->map
			    ? strdup("")
			    : format_map(unseen ? mount->map : place->facts->mount_map, "none");
	char flags[256];

	idm_describe_attr(place->facts->attr, mount ? mount->propagation : IDM_PROPAGATION_DEFAULT,
			  flags, sizeof(flags));
	print_row(MARK_STEP, "mount    %s on %s, %s, map: %s%s", mount ? mount->fstype : "?",
		  mount ? mount->target : "?", flags, map ? map : "?", suffix);
	free(map);
}

/* Without a line, it is the initial one, or a note says that it is not visible. */
static void print_fs_userns(const struct idm_explain_options *facts)
{
	char *map = facts->fs_map ? format_map(facts->fs_map, "") : NULL;

	if (map)
		print_row(MARK_MORE, "         filesystem of the user namespace: %s", map);
	free(map);
}

static void print_layer_file(const struct layer_file *file)
{
	char *map = format_map(file->map, file->map_unseen ? "not visible" : "none");
	char name[32] = "upper", uid[16], gid[16];

	if (file->lower)
		snprintf(name, sizeof(name), "lower %u", file->lower);
	if (*file->path)
		print_row(MARK_STEP, "layer    %s, %s: owner %s, group %s, map: %s", name, file->path,
			  format_id(file->uid, uid), format_id(file->gid, gid), map ? map : "?");
	else
		print_row(MARK_STEP, "layer    not visible");
	free(map);
}

static void print_layer(const struct verdict *v)
{
	struct layer_file file;

	if (!is_on_overlay(v))
		return;
	find_layer_file(v, &file);
	print_layer_file(&file);
	free_layer_file(&file);
}

static const char *annotation_text(const struct subject *s)
{
	return s->is_dockers
		       ? "this requires docker 24 or later, with the runtime idmount in its daemon.json"
		       : "idmount obeys it as the runtime or as a hook of the engine; for runc and "
			 "crun, add to annotations in config.json";
}

static void print_owner_map(const struct verdict *v, enum mark mark)
{
	char text[2 * VERDICT_TEXT];

	if (!describe_owner_map(v, text, sizeof(text)))
		return;
	print_row(mark == MARK_MORE ? MARK_MORE_COMMAND : MARK_COMMAND, "         to own it: %s", text);
	if (strstr(text, "--annotation"))
		print_row(mark, "         %s", annotation_text(v->subject));
}

/* ls(1) has the name on nearly each system. */
static const char *overflow_name(unsigned int kind)
{
	return kind == IDM_UID && idm_overflow_id(kind) == 65534 ? " (user nobody)" : "";
}

/* stat(2) shows such an owner as the overflow ID. */
static void print_unknown_owner(const struct verdict *v, enum mark mark)
{
	if (v->result.uid == IDM_EXPLAIN_NO_ID)
		print_row(mark, "         inside: owner unmapped, since %s it", lost_owner_text(v));
	else
		print_row(
			mark,
			"         inside: owner unmapped, seen as %u%s, since the user namespace has no "
			"number for it",
			idm_overflow_id(IDM_UID), overflow_name(IDM_UID));
}

/* stat(2) shows the overflow ID then. */
static void print_lost_id(const struct verdict *v, unsigned int kind, uint32_t disk)
{
	const char *word = kind == IDM_UID ? "owner" : "group";
	uint32_t shown = idm_overflow_id(kind);

	if (!v->facts.mount_map || disk == IDM_EXPLAIN_NO_ID)
		print_row(MARK_MORE, "         %s seen as %u%s, since %s it", word, shown,
			  overflow_name(kind), lost_owner_text(v));
	else
		print_row(MARK_MORE, "         %s seen as %u%s: no map entry names disk ID %u", word,
			  shown, overflow_name(kind), disk);
}

/* As stat(2) shows it to the process, too. */
static void print_seen(const struct verdict *v)
{
	const struct idm_explain_options *facts = &v->facts;
	char uid[16], gid[16];

	print_row(MARK_STEP, "seen     owner %s, group %s, as the mount shows them",
		  format_id(v->result.uid, uid), format_id(v->result.gid, gid));
	if (v->result.uid == IDM_EXPLAIN_NO_ID)
		print_lost_id(v, IDM_UID, facts->inode->uid);
	if (v->result.gid == IDM_EXPLAIN_NO_ID)
		print_lost_id(v, IDM_GID, facts->inode->gid);
	if (lacks_inside_owner(v)) {
		print_unknown_owner(v, MARK_MORE);
		print_owner_map(v, MARK_MORE);
	} else {
		print_inside_ids(facts->userns_map, "owner", v->result.uid, v->result.gid);
	}
}

void print_place(const struct verdict *v)
{
	if (!v->place->is_last) {
		print_inode(S_ISLNK(v->facts.inode->mode) ? "link" : "way", v->path, v->facts.inode);
		return;
	}
	print_inode("file", v->path, v->facts.inode);
	print_acl(v->facts.inode);
	print_mount(v->place);
	print_fs_userns(v->place->facts);
	print_layer(v);
	print_seen(v);
}

bool print_verdict(const struct verdict *v)
{
	const char *word = access_word(v->facts.access, S_ISDIR(v->facts.inode->mode));
	char text[VERDICT_TEXT];

	if (!v->result.errnum && v->is_unknown) {
		print_row(MARK_UNKNOWN, "%-8s not known: %s", word, unknown_text(v));
		return false;
	}
	if (!v->result.errnum) {
		if (v->place->is_last)
			print_row(MARK_ALLOWED, "%-8s allowed%s", word, overwrite_text(v));
		return false;
	}
	describe_refusal(v, text, sizeof(text));
	print_row(v->is_unknown ? MARK_UNKNOWN : MARK_REFUSED, "%-8s %s, %s: %s", word,
		  v->is_unknown ? "not known" : "refused", idm_errno_name(v->result.errnum), text);
	if (is_cured_by_owner_map(v)) {
		if (lacks_inside_owner(v))
			print_unknown_owner(v, MARK_NONE);
		print_owner_map(v, MARK_NONE);
	}
	if (describe_kept_groups(v, text, sizeof(text)))
		print_row(MARK_COMMAND, "         to use its group: %s", text);
	if (!describe_cure(v, text, sizeof(text)))
		return false;
	print_row(MARK_COMMAND, "cure     %s", text);
	return true;
}
