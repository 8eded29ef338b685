#include "gather.h"
#include "transpose.h"

/* Segments that are read with what lies between them: how long, and how far apart, in bytes. */
enum { SHORT_SEGMENT = 1 << 10, SMALL_GAP = 64 };

/* What the system reads at least. */
enum { PAGE = 4096 };

bool cg_is_gathered(const struct cg_view *view)
{
    return view && view->stride[view->axes - 1] != 1;
}

int64_t cg_gather_scratch(const struct cg_plan *plan)
{
    for (int64_t i = 0; i < plan->nmembers; i++) {
        const struct cg_quantised *how = plan->members[i].quantised;
        bool gathered = cg_is_gathered(plan->members[i].view);
        for (int k = 0; how && k < how->nsides; k++)
            gathered = gathered || cg_is_gathered(&how->side[k].view);
        if (gathered)
            return CG_GATHER_SCRATCH;
    }
    return 0;
}

int64_t cg_stored_elements(enum cg_dtype dtype, struct cg_grain grain, int64_t n)
{
    struct cg_grain stored = cg_dtype_grain(dtype);
    return cg_grain_bytes(grain, n) / stored.bytes * stored.elements;
}

/* The stored element that the canonical element `at` is. */
static int64_t element_of(const struct cg_view *view, int64_t at)
{
    int64_t element = view->base;
    for (int a = view->axes - 1; a >= 0; a--) {
        element += at % view->extent[a] * view->stride[a];
        at /= view->extent[a];
    }
    return element;
}

static int64_t offset_of(const struct cg_gather *from, int64_t element)
{
    return from->tensor->offset + cg_dtype_bytes(from->tensor->dtype, element);
}

int64_t cg_gather_offset(const struct cg_gather *from, int64_t first)
{
    return offset_of(from, from->view && first > 0 ? element_of(from->view, first)
                                                   : first + (from->view ? from->view->base : 0));
}

static int read_lines(struct cg_gather *from, int64_t element, const struct cg_lines *lines,
                      struct cg_err *err)
{
    from->bytes_read += (int64_t)(lines->n * lines->bytes);
    return cg_files_read_lines(from->files, from->file, from->tensor->name, offset_of(from, element), lines,
                               err);
}

/* Reads n elements that lie side by side. */
static int read_run(struct cg_gather *from, int64_t element, int64_t n, uint8_t *out, struct cg_err *err)
{
    size_t bytes = (size_t)cg_dtype_bytes(from->tensor->dtype, n);
    return read_lines(from, element, &(struct cg_lines){out, bytes, 1, bytes}, err);
}

static int read_runs(struct cg_gather *from, int64_t first, int64_t n, uint8_t *out, struct cg_err *err)
{
    int64_t length = from->view->extent[from->view->axes - 1];
    while (n > 0) {
        int64_t run = length - first % length < n ? length - first % length : n;
        if (read_run(from, element_of(from->view, first), run, out, err) < 0)
            return -1;
        out += cg_dtype_bytes(from->tensor->dtype, run);
        first += run;
        n -= run;
    }
    return 0;
}

/* The last two axes of a view at one index of the others: rows and columns, column by column stored. */
struct core {
    int64_t element; /* of row 0, column 0 */
    int64_t first;   /* element of the core, row by row, that `out` begins with */
    int64_t rows, columns, row_stride, column_stride;
};

/* A part of a core; what lies outside is neither read for its own sake nor written. */
struct rectangle {
    int64_t first_row, end_row, first_column, end_column;
};

/* Reads as many columns as fit the scratch, each the segment of its rows, and transposes them. */
static int gather_columns(struct cg_gather *from, const struct core *core, const struct rectangle *part,
                          uint8_t *out, struct cg_err *err)
{
    int64_t width = cg_dtype_bytes(from->tensor->dtype, 1), room = CG_GATHER_SCRATCH / width;
    int64_t rows = part->end_row - part->first_row, span = (rows - 1) * core->row_stride + 1;
    int64_t gap = core->column_stride - span, line = CG_TRANSPOSE_LINE / width;
    bool together = gap >= 0 && gap * width <= SMALL_GAP && span * width <= SHORT_SEGMENT;
    /* A line between segments, or those of a power of two would share few places of the cache. */
    int64_t pitch = together ? core->column_stride : span + line, most = room / pitch / line * line;
    for (int64_t column = part->first_column; column < part->end_column; column += most) {
        int64_t columns = part->end_column - column < most ? part->end_column - column : most;
        int64_t element = core->element + part->first_row * core->row_stride + column * core->column_stride;
        int64_t each = together ? (columns - 1) * pitch + span : span, in_read = gap == 0 ? columns : 1;
        for (int64_t k = 0; k < (together ? 1 : columns); k += in_read) {
            struct cg_lines lines = {from->scratch + k * pitch * width, (size_t)(each * width),
                                     together ? 1 : (size_t)in_read, (size_t)(pitch * width)};
            if (read_lines(from, element + k * core->column_stride, &lines, err) < 0)
                return -1;
        }
        struct cg_columns read = {from->scratch, rows, columns, core->row_stride, pitch};
        cg_transpose(out + (part->first_row * core->columns + column - core->first) * width, core->columns,
                     &read, (int)width);
    }
    return 0;
}

/* A rectangle, in bands of rows: the segments of a line of columns fit the scratch. */
static int gather_rectangle(struct cg_gather *from, const struct core *core, const struct rectangle *whole,
                            uint8_t *out, struct cg_err *err)
{
    int64_t width = cg_dtype_bytes(from->tensor->dtype, 1), line = CG_TRANSPOSE_LINE / width;
    int64_t span = CG_GATHER_SCRATCH / width / line - line, rows = whole->end_row - whole->first_row;
    int64_t bands = rows / ((span - 1) / core->row_stride + 1) + 1, band = (rows + bands - 1) / bands;
    if (core->columns > 1 &&
        core->row_stride > core->column_stride) /* rows lie apart: each by itself, with its gaps */
        band = 1;
    struct rectangle part = *whole;
    for (; whole->first_column < whole->end_column && part.first_row < whole->end_row;
         part.first_row += band) {
        part.end_row = whole->end_row - part.first_row < band ? whole->end_row : part.first_row + band;
        if (gather_columns(from, core, &part, out, err) < 0)
            return -1;
    }
    return 0;
}

/* The elements of a core before `end`, row by row, begin and end within rows. A column's segment is
 * one row shorter at the top when it lies left of the beginning, one longer at the bottom when left of the
 * end: three rectangles side by side, so that no column is read twice. */
static int gather_core(struct cg_gather *from, const struct core *core, int64_t end, uint8_t *out,
                       struct cg_err *err)
{
    int64_t top = core->first / core->columns, begins = core->first % core->columns;
    int64_t bottom = end / core->columns, ends = end % core->columns;
    int64_t low = begins < ends ? begins : ends, high = begins < ends ? ends : begins;
    const int64_t edge[] = {0, low, high, core->columns};
    for (int k = 0; k < 3; k++) {
        struct rectangle part = {.first_row = top + (edge[k] < begins),
                                 .end_row = bottom + (edge[k] < ends),
                                 .first_column = edge[k],
                                 .end_column = edge[k + 1]};
        if (gather_rectangle(from, core, &part, out, err) < 0)
            return -1;
    }
    return 0;
}

/* The core that element `first` of a view lies in, from that element on. */
static struct core core_at(const struct cg_view *view, int64_t first)
{
    int last = view->axes - 1;
    struct core core = {.rows = view->extent[last], .columns = 1, .row_stride = view->stride[last]};
    if (last > 0)
        core = (struct core){.rows = view->extent[last - 1],
                             .columns = view->extent[last],
                             .row_stride = view->stride[last - 1],
                             .column_stride = view->stride[last]};
    core.first = first % (core.rows * core.columns);
    core.element = element_of(view, first - core.first);
    return core;
}

/* How many of n elements lie in the core that begins with them. */
static int64_t taken_from(const struct core *core, int64_t n)
{
    int64_t left = core->rows * core->columns - core->first;
    return left < n ? left : n;
}

static int gather_cores(struct cg_gather *from, int64_t first, int64_t n, uint8_t *out, struct cg_err *err)
{
    while (n > 0) {
        struct core core = core_at(from->view, first);
        int64_t take = taken_from(&core, n);
        if (gather_core(from, &core, core.first + take, out, err) < 0)
            return -1;
        out += cg_dtype_bytes(from->tensor->dtype, take);
        first += take;
        n -= take;
    }
    return 0;
}

int cg_gather(struct cg_gather *from, int64_t first, int64_t n, uint8_t *out, struct cg_err *err)
{
    const struct cg_view *view = from->view;
    if (!view || (view->axes == 1 && view->stride[0] == 1))
        return read_run(from, first + (view ? view->base : 0), n, out, err);
    return cg_is_gathered(view) ? gather_cores(from, first, n, out, err)
                                : read_runs(from, first, n, out, err);
}

/* Bytes of a file that are to be announced together. */
struct stretch {
    int64_t begin, end;
};

static int announce_stretch(const struct cg_gather *from, const struct stretch *stretch, struct cg_err *err)
{
    return cg_files_announce(from->files, from->file, from->tensor->name, stretch->begin,
                             stretch->end - stretch->begin, err);
}

/* Adds n elements that lie side by side to the stretch, or announces it and begins another with them. */
static int announce_run(const struct cg_gather *from, int64_t element, int64_t n, struct stretch *stretch,
                        struct cg_err *err)
{
    struct stretch run = {offset_of(from, element), offset_of(from, element + n)};
    if (run.begin >= stretch->begin && run.begin <= stretch->end + PAGE) {
        stretch->end = run.end > stretch->end ? run.end : stretch->end;
        return 0;
    }
    struct stretch whole = *stretch;
    *stretch = run;
    return announce_stretch(from, &whole, err);
}

/* The rows of n elements of a core, in runs as they are stored: columns, or rows where those lie further
 * apart. */
static int announce_core(const struct cg_gather *from, const struct core *core, int64_t n,
                         struct stretch *stretch, struct cg_err *err)
{
    int64_t top = core->first / core->columns, bottom = (core->first + n - 1) / core->columns;
    int64_t element = core->element + top * core->row_stride, rows = bottom - top + 1;
    bool by_row = core->columns > 1 && core->row_stride > core->column_stride;
    int64_t runs = by_row ? rows : core->columns, apart = by_row ? core->row_stride : core->column_stride;
    int64_t length = by_row ? (core->columns - 1) * core->column_stride : (rows - 1) * core->row_stride;
    for (int64_t k = 0; k < runs; k++)
        if (announce_run(from, element + k * apart, length + 1, stretch, err) < 0)
            return -1;
    return 0;
}

int cg_gather_announce(const struct cg_gather *from, int64_t first, int64_t n, struct cg_err *err)
{
    int64_t begin = cg_gather_offset(from, first);
    struct stretch stretch = {begin, begin};
    while (n > 0) {
        struct core core = core_at(from->view, first);
        int64_t take = taken_from(&core, n);
        if (announce_core(from, &core, take, &stretch, err) < 0)
            return -1;
        first += take;
        n -= take;
    }
    return announce_stretch(from, &stretch, err);
}
