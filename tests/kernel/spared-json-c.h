/* SPDX-License-Identifier: MIT */
/*
 * For programs whose allocations fail, see failing-memory.h: but not those of json-c, which does not
 * survive it that it cannot copy a key. What else it leaves out is for json-memory.c.
 */
#ifndef SPARED_JSON_C_H
#define SPARED_JSON_C_H

/* It is loaded once for all, by this process: what that allocates stays. */
void load_json_c(void);

#endif
