"""German stories."""

from benchmarks.problems.story import Language, Story

GERMAN = Language(
    code="de",
    names=(
        *("Anke", "Britta", "Greta", "Heidi", "Ilse", "Jana", "Lena", "Mia", "Sophie", "Ute"),
        *("Bernd", "Dieter", "Fritz", "Georg", "Jürgen", "Karl", "Lukas", "Moritz", "Uwe", "Max"),
    ),
    stories=(
        Story(
            ("Murmeln", "Karten", "Muscheln"),
            "{name} hat {n} {thing}.",
            {
                "gain": ("{name} findet {n} {thing}.", "Ein Freund schenkt {name} {n} {thing}."),
                "lose": ("{name} verliert {n} {thing}.", "{name} verschenkt {n} {thing}."),
                "gain_groups": ("{name} kauft {m} Päckchen mit je {n} {thing}.",),
                "lose_groups": ("{name} gibt {m} Freunden je {n} {thing}.",),
                "times": ("Danach hat {name} {n} mal so viele {thing}.",),
                "share": ("{name} teilt die {thing} in {n} gleiche Haufen und behält einen.",),
            },
            "Wie viele {thing} hat {name} jetzt?",
        ),
        Story(
            ("Brote", "Kuchen", "Brezeln"),
            "Eine Bäckerei beginnt den Tag mit {n} {thing}.",
            {
                "gain": ("{name} backt noch {n} {thing}.",),
                "lose": ("Die Bäckerei verkauft {n} {thing}.",),
                "gain_groups": ("{name} backt {m} Bleche mit je {n} {thing}.",),
                "lose_groups": ("{m} Kunden kaufen je {n} {thing}.",),
            },
            "Wie viele {thing} sind noch da?",
        ),
        Story(
            ("Bücher",),
            "Die Bibliothek hat {n} {thing}.",
            {
                "gain": ("{name} bringt {n} {thing} zurück.", "Die Stadt spendet {n} {thing}."),
                "lose": ("{name} leiht {n} {thing} aus.",),
                "gain_groups": ("{m} Kisten mit je {n} {thing} kommen an.",),
                "lose_groups": ("{m} Klassen leihen je {n} {thing} aus.",),
                "times": ("Ein Jahr später gibt es {n} mal so viele {thing}.",),
            },
            "Wie viele {thing} hat die Bibliothek jetzt?",
        ),
        Story(
            ("Birnen", "Pflaumen", "Kirschen"),
            "{name} pflückt {n} {thing}.",
            {
                "gain": ("{name} pflückt noch {n} {thing}.",),
                "lose": ("{name} verkauft {n} {thing}.", "{name} isst {n} {thing}."),
                "gain_groups": ("{m} Bäume tragen je {n} {thing}.",),
                "lose_groups": ("{name} verkauft {m} Beutel mit je {n} {thing}.",),
                "share": ("{name} legt die {thing} in {n} gleiche Körbe und behält einen.",),
            },
            "Wie viele {thing} hat {name} noch?",
        ),
        Story(
            ("Fahrgäste",),
            "Ein Zug hat {n} {thing}.",
            {
                "gain": ("{n} {thing} steigen ein.", "Am nächsten Halt steigen {n} {thing} ein."),
                "lose": ("{n} {thing} steigen aus.",),
                "gain_groups": ("{m} Gruppen zu je {n} {thing} steigen ein.",),
                "lose_groups": ("{m} Gruppen zu je {n} {thing} steigen aus.",),
            },
            "Wie viele {thing} sind jetzt im Zug?",
        ),
        Story(
            ("Euro",),
            "{name} hat {n} {thing} gespart.",
            {
                "gain": ("{name} verdient {n} {thing}.", "{name} bekommt {n} {thing} geschenkt."),
                "lose": ("{name} gibt {n} {thing} aus.",),
                "gain_groups": ("{name} arbeitet {m} Tage für je {n} {thing}.",),
                "lose_groups": ("{name} kauft {m} Karten für je {n} {thing}.",),
                "times": ("Die Ersparnisse wachsen auf das {n} fache.",),
            },
            "Wie viel {thing} hat {name} jetzt?",
        ),
        Story(
            ("Liter",),
            "In einem Tank sind {n} {thing} Wasser.",
            {
                "gain": ("{name} gießt {n} {thing} dazu.",),
                "lose": ("{name} verbraucht {n} {thing}.",),
                "gain_groups": ("{name} gießt {m} Eimer mit je {n} {thing} dazu.",),
                "lose_groups": ("{name} füllt daraus {m} Kanister mit je {n} {thing}.",),
            },
            "Wie viele {thing} sind jetzt im Tank?",
        ),
        Story(
            ("Kisten", "Pakete"),
            "Ein Lager enthält {n} {thing}.",
            {
                "gain": ("Ein Lastwagen bringt {n} {thing}.",),
                "lose": ("Ein Lastwagen holt {n} {thing} ab.",),
                "gain_groups": ("{m} Lastwagen bringen je {n} {thing}.",),
                "lose_groups": ("{m} Lastwagen holen je {n} {thing} ab.",),
                "share": (
                    "Die {thing} kommen in {n} gleiche Hallen, und {name} zählt eine Halle.",
                ),
            },
            "Wie viele {thing} sind es jetzt?",
        ),
    ),
    working={
        "gain": "Dazu",
        "lose": "Weg",
        "groups": "Zusammen",
        "times": "Mal",
        "share": "Geteilt",
    },
    answer="Antwort: ",
    drill="Was ist {a} {operator} {b}?",
    json="Antworte in JSON.",
)
