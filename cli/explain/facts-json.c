// SPDX-License-Identifier: MIT
/* The facts about the last place, for JSON. They are valid for a moment only, so they are written at
 * once. */
#include <stdio.h>
#include <sys/stat.h>

#include "lib/base/mount-attr.h"
#include "report.h"

void add_json_id(struct json *json, const char *key, uint32_t id)
{
	if (id == IDM_EXPLAIN_NO_ID || is_hidden_id(id))
		json_add_string(json, key, NULL);
	else
		json_add_number(json, key, id);
}

static void add_acl_entries(struct json *json, const struct idm_explain_inode *inode)
{
	char bits[4];

	json_open(json, "acl", '[');
	for (size_t i = 0; i < inode->n_acl; i++) {
		json_open(json, NULL, '{');
		json_add_string(json, "kind", inode->acl[i].kind == IDM_UID ? "user" : "group");
		add_json_id(json, "id", inode->acl[i].id);
		write_bits(inode->acl[i].permissions, bits);
		json_add_string(json, "permissions", bits);
		json_close(json);
	}
	json_close(json);
}

/* "rw", for example. Without an ACL, "mode" has these permissions. */
static void add_acl_class(struct json *json, const char *key, bool is_there, unsigned int permissions)
{
	char bits[4];

	write_bits(permissions, bits);
	json_add_string(json, key, is_there ? bits : NULL);
}

static void add_file(struct json *json, const struct verdict *v)
{
	const struct idm_explain_inode *inode = v->facts.inode;
	const bool has_acl = inode->flags & IDM_INODE_ACL;
	char mode[8];

	snprintf(mode, sizeof(mode), "%04o", inode->mode & 07777U);
	json_open(json, "file", '{');
	json_add_string(json, "type", type_word(inode->mode));
	json_add_string(json, "mode", mode);
	add_json_id(json, "owner", inode->uid);
	add_json_id(json, "group", inode->gid);
	add_json_id(json, "seenOwner", v->result.uid);
	add_json_id(json, "seenGroup", v->result.gid);
	json_add_bool(json, "immutable", inode->flags & IDM_INODE_IMMUTABLE);
	json_add_bool(json, "appendOnly", inode->flags & IDM_INODE_APPEND);
	add_acl_class(json, "aclGroup", has_acl, inode->acl_group);
	add_acl_class(json, "aclMask", has_acl, inode->mode >> 3);
	add_acl_entries(json, inode);
	json_close(json);
}

static void add_fs_userns(struct json *json, const struct idm_map *map)
{
	if (!map) {
		json_add_string(json, "filesystemUserNamespace", NULL);
		return;
	}
	json_open(json, "filesystemUserNamespace", '{');
	json_add_map(json, map);
	json_close(json);
}

static void add_mount(struct json *json, const struct verdict *v)
{
	const struct idm_mount_info *mount = v->place->mount;
	char flags[256];

	if (!mount) {
		json_add_string(json, "mount", NULL);
		return;
	}
	idm_describe_attr(v->facts.attr, mount->propagation, flags, sizeof(flags));
	json_open(json, "mount", '{');
	json_add_name(json, "target", mount->target);
	json_add_name(json, "fstype", mount->fstype);
	json_add_string(json, "flags", flags);
	json_add_map(json, v->facts.mount_map);
	add_fs_userns(json, v->facts.fs_map);
	json_close(json);
}

static void add_process(struct json *json, const struct idm_explain_options *facts)
{
	json_open(json, "process", '{');
	add_json_id(json, "user", facts->fsuid);
	add_json_id(json, "group", facts->fsgid);
	json_open(json, "groups", '[');
	for (size_t i = 0; i < facts->n_groups; i++)
		add_json_id(json, NULL, facts->groups[i]);
	json_close(json);
	add_capability_names(json, "capabilities", facts->capabilities);
	json_add_map(json, facts->userns_map);
	json_close(json);
}

void note_facts(struct json *members, const struct verdict *v)
{
	add_process(members, &v->facts);
	add_file(members, v);
	add_mount(members, v);
}
