"""What the verdict on each claim means, in one plain sentence of at most 25 words.

A sentence belongs to a verdict as str(Verdict) gives it: results with another verdict have none
until one is written for it. The numbers behind it are told beside it.
"""

LONGEST = 25  # words

PLAIN = {
    "η0 = .01 gives the best test accuracy at b = 64": {
        "does not hold": "In every seed a larger rate does better.",
    },
    "larger batches at a fixed rate converge more slowly": {
        "holds": "With one rate for all, every doubling learns more slowly, in every seed.",
    },
    "... and to a worse result": {
        "holds": "With one rate for all, every doubling ends lower after 30 epochs.",
    },
    "... because what they converge to is a less good minimum": {
        "depends on the seed at 128, 256, 512, 1024, 2048, 4096; cannot be told at 8192": (
            "After as many updates, not epochs, the larger batch is as often better as worse."
        ),
    },
    "sqrt scaling makes the large batches converge sooner": {
        "holds": "From 2048 on they reach 90 % in fewer epochs, in every seed.",
    },
    "... and so does linear scaling": {
        "holds at 2048; cannot be told at 4096, 8192": (
            "At 2048 it does; at 4096 and 8192 too few runs learn at all to tell."
        ),
    },
    "sqrt scaling keeps all sizes training": {
        "holds": "Every run of every size ends above 90 %.",
    },
    "linear is more efficient than sqrt up to 1024": {
        "holds": "Up to 1024 it reaches 97 % sooner, in every seed.",
    },
    "... and ends higher (what the figures suggest)": {
        "depends on the seed at 128, 512, 1024; cannot be told at 256": (
            "In most seeds, but not in all."
        ),
    },
    "beyond 1024 linear prevents any convergence": {
        "does not hold at 2048; depends on the seed at 4096; holds at 8192": (
            "At 2048 nearly every run learns, and at 4096 some do; only at 8192 none does."
        ),
    },
    "sqrt is better than linear at 4096 and 8192": {
        "depends on the seed at 4096; holds at 8192": (
            "At 8192 in every seed; at 4096 linear scaling learns in some and then ends higher."
        ),
    },
    "... and at 2048 (not in the text)": {
        "depends on the seed": "In most seeds, but not in all.",
    },
    "gradual warmup gives no significant improvement": {
        "holds at 8192; cannot be told at 2048, 4096": (
            "At 8192 it brings no gain of .01; at 2048 and 4096 ten seeds cannot tell."
        ),
    },
    "with it large batches learn, then diverge as the rate grows": {
        "holds": "Every run of 4096 and 8192 begins to learn, then falls to half or less.",
    },
    "nor does constant warmup (not in the text)": {
        "holds at 8192; cannot be told at 2048, 4096": (
            "As gradual warmup: no gain of .01 at 8192; at 2048 and 4096 ten seeds cannot tell."
        ),
    },
    "momentum improves convergence at every size": {
        "holds": "At every size the loss is lower after five epochs, in every seed.",
    },
    "with it 2048 is as good as any": {
        "does not hold": "It ends more than .005 below 64 with momentum, in every seed.",
    },
    "... and 4096 is not": {
        "holds": "It ends more than .005 below 64 with momentum, in every seed.",
    },
    "raising the rate helps at 4096": {
        "holds": "It reaches 97 % sooner, in every seed.",
    },
    "raising the rate makes 8192 unstable": {
        "holds": "In every seed the accuracy once falls by more than .02 within an epoch.",
    },
    "scaling the momentum instead is faster": {
        "depends on the seed": "It reaches 97 % sooner in most seeds, but not in all.",
    },
    "... and unstable": {
        "holds": "In every seed the accuracy once falls by more than .02 within an epoch.",
    },
    "rate and momentum by the sqrt rule improve the convergence up to 8192": {
        "holds": "At 8192 it reaches 97 % in every seed; the fixed rate does in none.",
    },
    "at equal effective rate, momentum ends the same (not tested in the text)": {
        "depends on the seed at 512, 1024, 2048; holds at 64, 128, 256, 4096, 8192": (
            "Within .005 at most sizes; from 512 to 2048 the two differ in some seeds."
        ),
    },
    "... and what it adds is fewer falls (not tested in the text)": {
        "holds": "Far fewer runs fall by more than .02 from one epoch to the next.",
    },
    "the purpose: a larger batch, the accuracy kept, no more epochs. At a fixed rate": {
        "does not hold at 256, 512, 1024, 2048, 4096, 8192; holds at 128": (
            "Only 128 ends within .005 of 64 at η = .01; larger batches in no seed."
        ),
    },
    "... with sqrt scaling": {
        "does not hold at 2048, 4096, 8192; depends on the seed at 512, 1024; holds at 128, 256": (
            "128 and 256 keep it in every seed, 512 and 1024 in some, larger ones in none."
        ),
    },
    "... with linear scaling": {
        "does not hold at 4096, 8192; depends on the seed at 512, 1024, 2048; holds at 128, 256": (
            "128 and 256 keep it in every seed, 512 to 2048 in some, larger ones in none."
        ),
    },
    "... with linear scaling and gradual warmup": {
        "does not hold at 4096, 8192; depends on the seed at 512, 1024, 2048; holds at 128, 256": (
            "128 and 256 keep it in every seed, 512 to 2048 in some, larger ones in none."
        ),
    },
    "... with momentum at a fixed rate": {
        "does not hold at 4096, 8192; depends on the seed at 2048; holds at 128, 256, 512, 1024": (
            "Up to 1024 they keep it in every seed, 2048 in some, larger ones in none."
        ),
    },
    "... with as large a rate instead (not in the text)": {
        "does not hold at 4096, 8192; depends on the seed at 512, 1024, 2048; holds at 128, 256": (
            "128 and 256 keep it in every seed, 512 to 2048 in some, larger ones in none."
        ),
    },
    "... with m = .9 and the rate by the sqrt rule from 2048 on": {
        "does not hold": "Neither 4096 nor 8192 keeps it, in any seed.",
    },
    "... with 1/(1-m) by the sqrt rule at 8192": {
        "does not hold": "8192 does not keep it in any seed.",
    },
    # Beyond the report.
    "tuned like 64, every size up to the whole training set is as accurate: by clipped SGD in "
    "Nesterov's form": {
        "does not hold at 32768, 60000; holds at 512, 2048, 8192, 16384": (
            "Up to 16384 in every seed; at 32768 and with all 60,000 at once in none."
        ),
    },
    "... by Adam": {
        "does not hold at 16384, 32768, 60000; depends on the seed at 8192; holds at 512, 2048": (
            "Up to 2048 in every seed, at 8192 in some, beyond it in none."
        ),
    },
    "... by LARS": {
        "does not hold at 32768, 60000; depends on the seed at 8192, 16384; holds at 512, 2048": (
            "Up to 2048 in every seed, at 8192 and 16384 in some, beyond them in none."
        ),
    },
    "... by LAMB": {
        "does not hold at 60000; depends on the seed at 32768; holds at 512, 2048, 8192, 16384": (
            "Up to 16384 in every seed, at 32768 in some, with all 60,000 at once in none."
        ),
    },
    "... by Muon": {
        "depends on the seed at 60000; holds at 512, 2048, 8192, 16384, 32768": (
            "Up to 32768 in every seed, with all 60,000 at once in some."
        ),
    },
    "numbers of Adam that are tuned at 512 suit 8192 by its square-root rule (Malladi et al.)": {
        "depends on the seed": "In most seeds it comes within .005; in the others it fails.",
    },
    "a rate for every layer (LARS) lets the linear rule, with warmup, go from 512 to 8192 "
    "(You et al.)": {
        "does not hold": "Every run ends with all images given one class.",
    },
    "... and without warmup": {
        "does not hold": "Every run ends with all images given one class.",
    },
    "a batch that grows as the rate would fall ends as accurate with half of the updates (Smith "
    "et al.): by the cosine": {
        "holds": "At 64, 2048 and 8192 it ends within .002 of the rate that falls, in every seed.",
    },
    "... by 5, twice, with two fifths of them": {
        "holds": "At 64 it ends within .002 of the rate that falls, in every seed.",
    },
    "... and with neither it ends less accurate": {
        "does not hold at 8192; depends on the seed at 64, 2048": (
            "At 64 and 2048 it does in some seeds, by more than .002; at 8192 in none."
        ),
    },
    "a batch that follows the noise scale of the report's run (McCandlish et al.) ends as "
    "accurate with a seventh of the updates: at a constant rate": {
        "holds": "It ends within .002 of the rate that falls, in every seed.",
    },
    "... at a rate that falls by the cosine": {
        "holds": "It ends within .002 of the rate that falls, in every seed.",
    },
    "with MNIST's settings 2048, 8192 and 60000 are as accurate on Fashion-MNIST as 64 at its "
    "best: by Muon": {
        "does not hold at 60000; holds at 2048, 8192": (
            "At 2048 and 8192 every seed comes within .005; at 60000 none comes within .03."
        ),
    },
    "... on Fashion-MNIST by LAMB": {
        "does not hold at 60000; depends on the seed at 8192; holds at 2048": (
            "At 2048 every seed comes within .005, at 8192 one of five; at 60000 none within .1."
        ),
    },
    "... on Fashion-MNIST by clipped SGD in Nesterov's form": {
        "does not hold at 8192, 60000; holds at 2048": (
            "At 2048 every seed comes within .005, at 8192 none; at 60000 none within .1."
        ),
    },
    "... and on Fashion-MNIST, too, by none of the report's rules": {
        "holds": "At 2048, 8192 and 60000 no seed of the best of the four comes within .02.",
    },
    "... tuned on Fashion-MNIST by Muon": {
        "does not hold at 60000; holds at 2048, 8192": (
            "Tuning there changes nothing: at 2048 and 8192 every seed comes within .005, at 60000 "
            "none within .03."
        ),
    },
    "... tuned on Fashion-MNIST by LAMB": {
        "does not hold at 60000; depends on the seed at 8192; holds at 2048": (
            "As with MNIST's settings: every seed at 2048, one of five at 8192, none at 60000."
        ),
    },
    "... tuned on Fashion-MNIST by clipped SGD in Nesterov's form": {
        "does not hold at 8192, 60000; holds at 2048": (
            "As with MNIST's settings: every seed at 2048, none at 8192 and 60000."
        ),
    },
    "MNIST's settings are as good on Fashion-MNIST as tuned ones: of Muon": {
        "holds": "They are within .005 of the tuned ones in every seed of every size.",
    },
    "MNIST's settings are as good on Fashion-MNIST as tuned ones: of LAMB": {
        "depends on the seed at 60000; holds at 64, 2048, 8192": (
            "Up to 8192 they are the very same; at 60000 three of five seeds lose more than .005."
        ),
    },
    "MNIST's settings are as good on Fashion-MNIST as tuned ones: of clipped SGD in Nesterov's "
    "form": {
        "holds": "They are within .005 of the tuned ones in every seed of every size.",
    },
    "with LeNet-5's settings 2048, 8192 and 60000 are as accurate in an MLP as 64 at its best: by "
    "Muon": {
        "does not hold at 60000; holds at 2048, 8192": (
            "At 2048 and 8192 every seed comes within .005; at 60000 none does, but all within .01."
        ),
    },
    "... in an MLP by LAMB": {
        "does not hold at 60000; holds at 2048, 8192": (
            "At 2048 and 8192 every seed comes within .005; at 60000 none comes within .03."
        ),
    },
    "... in an MLP by clipped SGD in Nesterov's form": {
        "does not hold at 60000; depends on the seed at 8192; holds at 2048": (
            "At 2048 every seed comes within .005, at 8192 four of five; at 60000 none within .03."
        ),
    },
    "... and in an MLP, too, by none of the report's rules": {
        "holds": "At 2048, 8192 and 60000 no seed of the best of the four comes within .008.",
    },
    "... tuned in an MLP by Muon": {
        "depends on the seed at 60000; holds at 2048, 8192": (
            "At 2048 and 8192 every seed comes within .005, at 60000 three of five."
        ),
    },
    "... tuned in an MLP by LAMB": {
        "does not hold at 60000; holds at 2048, 8192": (
            "As with LeNet-5's settings: every seed at 2048 and 8192, none at 60000."
        ),
    },
    "... tuned in an MLP by clipped SGD in Nesterov's form": {
        "does not hold at 60000; depends on the seed at 8192; holds at 2048": (
            "As with LeNet-5's settings, which are the tuned ones: at 2048 every seed, at 8192 "
            "four of five, at 60000 none."
        ),
    },
    "LeNet-5's settings are as good in an MLP as tuned ones: of Muon": {
        "holds": "They are within .005 of the tuned ones in every seed of every size.",
    },
    "LeNet-5's settings are as good in an MLP as tuned ones: of LAMB": {
        "holds": "They are within .005 of the tuned ones in every seed of every size.",
    },
    "LeNet-5's settings are as good in an MLP as tuned ones: of clipped SGD in Nesterov's form": {
        "holds": "They are the tuned ones, at every size.",
    },
    "with the answer's settings 2048, 8192 and 60000 are as accurate from He's initial weights as "
    "64 at its best: by Muon": {
        "does not hold at 60000; holds at 2048, 8192": (
            "At 2048 and 8192 every seed comes within .005; at 60000 none does, one within .01."
        ),
    },
    "... from He's initial weights by LAMB": {
        "does not hold at 60000; depends on the seed at 8192; holds at 2048": (
            "At 2048 every seed comes within .005, at 8192 three of five; at 60000 none learns."
        ),
    },
    "... from He's initial weights by clipped SGD in Nesterov's form": {
        "does not hold at 60000; holds at 2048, 8192": (
            "At 2048 and 8192 every seed comes within .005; at 60000 none comes within .05."
        ),
    },
    "... and from He's initial weights, too, by none of the report's rules": {
        "holds": "At 2048, 8192 and 60000 no seed of the best of the four comes within .005.",
    },
    "with as many images seen, a batch loses as much with sixteen times the data: by Muon": {
        "does not hold at 30000; depends on the seed at 500, 2000, 15000, 60000; holds at 7500": (
            "In every seed 500 and 2000 lose less with more data, and 30000 more; 7500 loses as "
            "much, within .005."
        ),
    },
    "... by clipped SGD in Nesterov's form, of drawn digits": {
        "depends on the seed at 2000, 7500, 15000, 30000, 60000; holds at 500": (
            "At 500 as much is lost, within .005, in every seed; beyond, in some."
        ),
    },
    "... though the data do matter: 80 images end more accurate with sixteen times as many": {
        "holds": "They do in every seed: .982 against .969 in the median.",
    },
    "from He's initial weights, too, linear scaling prevents any convergence beyond 1024": {
        "depends on the seed at 2048; holds at 4096, 8192": (
            "At 2048 some seeds learn; at 4096 and 8192 none does."
        ),
    },
    "... and with gradual warmup": {
        "does not hold at 2048, 4096; depends on the seed at 8192": (
            "At 2048 and 4096 every seed comes to 90 %, at 8192 some do."
        ),
    },
    "... with which large batches learn, then diverge, from He's initial weights": {
        "holds": (
            "Every run of 4096 and 8192 begins to learn, then falls to half of its best so far or "
            "less; some rise again."
        ),
    },
}
