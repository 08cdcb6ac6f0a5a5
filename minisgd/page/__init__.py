"""Pages to play with: one file each, which needs no server, no network and no other file.

    library      what draws: Vega-Lite and all it needs, as text
    html         elements whose text is escaped, and a whole page around them
    colours      how lines look, as in the figures: on light and on dark paper
    curves       runs as lines by epoch: medians, bands, seeds
    specs        what the library is to draw, as Vega-Lite describes it
    explorer     the curves of any runs, with all that may be chosen
    carried      how far each method carries the batch
    places       whether that carries over to other images, networks, weights and more data
    curvature    a run update by update, as the measure of the curvature has looked at it
    steps        how many steps a batch needs to an accuracy, tuned at every size
    ranks        what more ranks buy, through a network of the reader's
    claims       the claims and the verdicts on them
    formulas     the formulas of the report
    project      the page of a folder of figures
    sweep        the page of a sweep, while it runs and afterwards

What only a browser can do is in the scripts beside these modules.
"""
