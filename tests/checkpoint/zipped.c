#include "zipped.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void put(struct bytes *out, const void *data, size_t n)
{
    if (n > sizeof out->data - out->n) {
        fprintf(stderr, "the archive is too large for the test\n");
        abort();
    }
    if (n > 0)
        memcpy(out->data + out->n, data, n);
    out->n += n;
}

void put_number(struct bytes *out, uint64_t number, int n)
{
    for (int i = 0; i < n; i++) {
        unsigned char byte = i < 8 ? (unsigned char)(number >> 8 * i) : 0;
        put(out, &byte, 1);
    }
}

static void put_text(struct bytes *out, const char *text)
{
    if (text)
        put(out, text, strlen(text));
}

/* Bit by bit, as the polynomial says. */
static uint32_t crc_of(const unsigned char *data, size_t n)
{
    uint32_t crc = 0xFFFFFFFF;
    for (size_t i = 0; i < 8 * n; i++) {
        uint32_t bit = (crc ^ (uint32_t)(data[i / 8] >> i % 8)) & 1;
        crc = crc >> 1 ^ (bit ? 0xEDB88320 : 0);
    }
    return ~crc;
}

static void put_local(struct bytes *out, const struct member *m, uint32_t crc)
{
    const char *name = m->local_name ? m->local_name : m->name;
    uint64_t size = m->n + m->local_wrong_size;
    unsigned flags = m->local_flags ? m->local_flags : m->flags;
    put_text(out, "PK\3\4");
    put_number(out, 0, 2);
    put_number(out, flags | (m->sizes_follow ? 8 : 0), 2);
    put_number(out, m->local_method ? m->local_method : m->method, 2);
    put_number(out, 0, 4);
    put_number(out, m->sizes_follow ? 0 : crc, 4);
    for (int i = 0; i < 2; i++)
        put_number(out, m->sizes_follow ? 0 : m->wide_sizes ? 0xFFFFFFFF : size, 4);
    put_number(out, strlen(name), 2);
    put_number(out, m->wide_sizes ? 26 : 0, 2);
    put_text(out, name);
    if (m->wide_sizes) {
        put_text(out, "FB\2");
        put_number(out, 0, 3);
        put_number(out, 1, 2);
        put_number(out, 16, 2);
        put_number(out, size, 8);
        put_number(out, size, 8);
    }
}

static void put_central(struct bytes *out, const struct member *m, uint32_t crc, uint64_t offset)
{
    bool wide = m->wide_sizes || m->wide_size;
    uint64_t size = m->wide_size ? m->wide_size : m->n + (uint64_t)m->wrong_size;
    put_text(out, "PK\1\2");
    put_number(out, 0, 4);
    put_number(out, m->flags | (m->sizes_follow ? 8 : 0), 2);
    put_number(out, m->method, 2);
    put_number(out, 0, 4);
    put_number(out, crc, 4);
    put_number(out, wide ? 0xFFFFFFFF : size, 4);
    put_number(out, wide ? 0xFFFFFFFF : size, 4);
    put_number(out, strlen(m->name), 2);
    put_number(out, wide ? 28 : 0, 2);
    put_number(out, 0, 10);
    put_number(out, wide ? 0xFFFFFFFF : offset, 4);
    put_text(out, m->name);
    if (wide) {
        put_number(out, 1, 2);
        put_number(out, 24, 2);
        put_number(out, size, 8);
        put_number(out, size, 8);
        put_number(out, offset, 8);
    }
}

static void put_end64(struct bytes *out, const struct archive *archive, size_t entries, size_t directory)
{
    size_t at = out->n;
    put_text(out, "PK\6\6");
    put_number(out, 44, 8);
    put_number(out, 0, 12);
    put_number(out, entries, 8);
    put_number(out, entries, 8);
    put_number(out, at - directory, 8);
    put_number(out, directory + (uint64_t)archive->wrong_end64, 8);
    put_text(out, "PK\6\7");
    put_number(out, 0, 4);
    put_number(out, at, 8);
    put_number(out, 1, 4);
}

static void put_end(struct bytes *out, const struct archive *archive, size_t entries, size_t directory,
                    size_t end)
{
    put_text(out, "PK\5\6");
    put_number(out, 0, 4);
    put_number(out, entries + (uint64_t)archive->wrong_entries, 2);
    put_number(out, entries + (uint64_t)archive->wrong_entries, 2);
    put_number(out, end - directory, 4);
    put_number(out, directory + (uint64_t)archive->wrong_directory, 4);
    put_number(out, archive->comment ? strlen(archive->comment) : 0, 2);
    put_text(out, archive->comment);
}

void zip_put(struct bytes *out, const struct archive *archive)
{
    size_t offset[4], entries = 0;
    uint32_t crc[4];
    put_text(out, archive->before);
    for (const struct member *m = archive->member; entries < 4 && m->name; m++, entries++) {
        crc[entries] = crc_of(m->data, m->n) + m->wrong_crc;
        offset[entries] = out->n;
        put_local(out, m, crc[entries]);
        put(out, m->data, m->n);
        if (m->sizes_follow) {
            put_text(out, "PK\7\10");
            put_number(out, crc[entries], 4);
            put_number(out, m->n, 4);
            put_number(out, m->n, 4);
        }
    }
    size_t directory = out->n;
    for (size_t i = 0; i < entries; i++)
        put_central(out, &archive->member[i], crc[i], offset[i] + (uint64_t)archive->member[i].wrong_offset);
    size_t end = out->n;
    put_text(out, archive->between);
    if (archive->zip64)
        put_end64(out, archive, entries, directory);
    for (int i = 0; i <= archive->end_twice; i++)
        put_end(out, archive, entries, directory, end);
    put_text(out, archive->behind);
}
