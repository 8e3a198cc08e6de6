/* SPDX-License-Identifier: MIT */
#pragma once

#include <stdint.h>

/*
 * Adds an ELF note about a library that is loaded by dlopen(3). Builders of packages read it, since
 * ldd(1) does not show that library. The format is that of systemd's "ELF dlopen metadata": vendor
 * "FDO", this type, and JSON.
 */
#define DLOPEN_NOTE_VENDOR "FDO"
#define DLOPEN_NOTE_TYPE 0x407c0c0a
#define DLOPEN_NOTE(symbol, json)                                                                    \
	__attribute__((used, section(".note.dlopen"))) _Alignas(uint32_t) static const struct {      \
		uint32_t name_size, json_size, type;                                                 \
		char name[sizeof(DLOPEN_NOTE_VENDOR)];                                               \
		_Alignas(uint32_t) char text[sizeof(json)];                                          \
	} symbol = { sizeof(DLOPEN_NOTE_VENDOR), sizeof(json), DLOPEN_NOTE_TYPE, DLOPEN_NOTE_VENDOR, \
		     json }
