/* SPDX-License-Identifier: MIT */
/* The map that a command line asks for: -m, --userns and --keep-rest of every command. */
#ifndef IDM_CLI_COMMON_IDMAP_OPTIONS_H
#define IDM_CLI_COMMON_IDMAP_OPTIONS_H

#include <stdbool.h>

#include "command.h"
#include "idmount.h"

#define OPTION_USERNS (LONG_ONLY + 0)
#define OPTION_KEEP_REST (LONG_ONLY + 1)
#define OPTION_DRY_RUN (LONG_ONLY + 2)
#define OPTION_OF_COMMAND (LONG_ONLY + 3) /* the first number that is free for others */

#define MAP_OPTIONS                                                                                  \
	{ 'm', "map", "MAP",                                                                         \
	  "entries to map: [u:|g:|b:]DISK:SEEN[:COUNT], separated by\n"                              \
	  "commas; names instead of numbers; \"auto[:USER]\"; see below" },                          \
		{ OPTION_USERNS, "userns", "PATH|PID",                                               \
		  "the map of this user namespace file or process" },                                \
	{                                                                                            \
		OPTION_KEEP_REST, "keep-rest", NULL, "every ID that no entry names keeps its number" \
	}

/* Of commands that mount. */
#define TRIAL_OPTIONS                                                                        \
	{ OPTION_DRY_RUN, "dry-run", NULL, "check as much as possible, and mount nothing" }, \
	{                                                                                    \
		'v', "verbose", NULL, "report each step on standard error, for a bug report" \
	}

extern const char map_details[];

struct map_request {
	struct idm_map *map; /* released by map_request_free() */
	bool given;	     /* any option for a map was there */
	bool keep_rest;
	char *owner_text; /* entries that name the source's owner; NULL: none */
};

void map_request_free(struct map_request *request);

/* Returns the text of a map, which the caller frees; "" for an empty one. NULL: out of memory. */
char *format_map_text(const struct idm_map *map);

/* -v: reports the map, or its absence. */
void report_map_step(const struct idm_map *map);

#define AUTO_MAP_REQUEST __attribute__((cleanup(map_request_free)))

/* Adds the entries of a map option's text. Returns DONE, or reports and returns the exit status. */
int parse_map_option(struct idm_map *map, const char *text);

/* The same, but messages begin with the owner of the map: "--bind /src". */
int parse_map_option_in(const char *where, struct idm_map *map, const char *text);

/* Adds one of MAP_OPTIONS. Returns DONE, or reports and returns the exit status. */
int add_map_option(struct map_request *request, int letter, const char *value);

/*
 * Reports why a tree or an overlay with this map failed. A note follows if idmountd may have refused an
 * ID that --keep-rest added. Returns FAILED.
 */
int report_failed_mapping(const struct idm_error *err, bool keep_rest);

/*
 * Completes the map after the last option: fills in the rest if asked. Returns as above; USAGE if no map
 * was asked for. The message then names `how` to ask for one.
 */
int complete_map(struct map_request *request, const char *how);

/* The same where a source exists. The word "owner" in the map stands for its owner. */
int complete_map_of_source(struct map_request *request, const char *how, const char *source);

/* Returns whether the text, in the form of -m, has an entry whose disk ID is "owner". */
bool names_owner(const char *text);

/* Adds entries of which some name the owner of the source. Returns DONE, or reports as
 * parse_map_option(). */
int parse_owner_map_in(const char *where, struct idm_map *map, const char *text, const char *source);

/* "owner" with an option that replaces the source's map: the owner on disk is another one. */
int refuse_owner_of_mapped(const char *where, const char *option);

/* Returns the value of --upper-ids, which is one of the words in the table. */
enum idm_upper_ids parse_upper_ids(const char *value);

#define HOW_TO_GIVE_A_MAP "-m or --userns"

#endif
