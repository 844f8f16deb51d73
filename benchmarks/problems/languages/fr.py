"""French stories."""

from benchmarks.problems.story import Language, Story

FRENCH = Language(
    code="fr",
    names=(
        *("Camille", "Léa", "Manon", "Chloé", "Sarah", "Julie", "Marie", "Lucie", "Zoé", "Nadia"),
        *("Louis", "Hugo", "Paul", "Lucas", "Théo", "Jules", "Karim", "Marc", "Simon", "Victor"),
    ),
    stories=(
        Story(
            ("billes", "cartes", "perles"),
            "{name} a {n} {thing}.",
            {
                "gain": ("{name} trouve {n} {thing}.", "Un ami donne {n} {thing} à {name}."),
                "lose": ("{name} perd {n} {thing}.", "{name} donne {n} {thing} à sa sœur."),
                "gain_groups": ("{name} achète {m} paquets de {n} {thing}.",),
                "lose_groups": ("{name} donne {n} {thing} à chacun de ses {m} amis.",),
                "times": ("Ensuite {name} a {n} fois plus de {thing}.",),
                "share": ("{name} partage les {thing} en {n} tas égaux et en garde un.",),
            },
            "Combien de {thing} {name} a maintenant ?",
        ),
        Story(
            ("pains", "gâteaux", "croissants"),
            "Une boulangerie commence la journée avec {n} {thing}.",
            {
                "gain": ("{name} prépare encore {n} {thing}.",),
                "lose": ("La boulangerie vend {n} {thing}.",),
                "gain_groups": ("{name} prépare {m} plaques de {n} {thing}.",),
                "lose_groups": ("{m} clients prennent {n} {thing} chacun.",),
            },
            "Combien de {thing} reste-t-il ?",
        ),
        Story(
            ("livres",),
            "La bibliothèque possède {n} {thing}.",
            {
                "gain": ("{name} rend {n} {thing}.", "La ville offre {n} {thing}."),
                "lose": ("{name} emprunte {n} {thing}.",),
                "gain_groups": ("{m} cartons de {n} {thing} arrivent.",),
                "lose_groups": ("{m} classes empruntent {n} {thing} chacune.",),
                "times": ("Un an plus tard, il y a {n} fois plus de {thing}.",),
            },
            "Combien de {thing} la bibliothèque possède-t-elle maintenant ?",
        ),
        Story(
            ("pommes", "poires", "prunes"),
            "{name} cueille {n} {thing}.",
            {
                "gain": ("{name} cueille encore {n} {thing}.",),
                "lose": ("{name} vend {n} {thing}.", "{name} mange {n} {thing}."),
                "gain_groups": ("{m} arbres donnent {n} {thing} chacun.",),
                "lose_groups": ("{name} vend {m} sacs de {n} {thing}.",),
                "share": ("{name} met les {thing} dans {n} paniers égaux et en garde un.",),
            },
            "Combien de {thing} reste-t-il à {name} ?",
        ),
        Story(
            ("passagers",),
            "Un train part avec {n} {thing}.",
            {
                "gain": ("{n} {thing} montent.", "À la gare suivante {n} {thing} montent."),
                "lose": ("{n} {thing} descendent.",),
                "gain_groups": ("{m} groupes de {n} {thing} montent.",),
                "lose_groups": ("{m} groupes de {n} {thing} descendent.",),
            },
            "Combien de {thing} y a-t-il dans le train ?",
        ),
        Story(
            ("francs",),
            "{name} a économisé {n} {thing}.",
            {
                "gain": ("{name} gagne {n} {thing}.", "{name} reçoit {n} {thing}."),
                "lose": ("{name} dépense {n} {thing}.",),
                "gain_groups": ("{name} travaille {m} jours pour {n} {thing} par jour.",),
                "lose_groups": ("{name} achète {m} billets à {n} {thing}.",),
                "times": ("Les économies deviennent {n} fois plus grandes.",),
            },
            "Combien de {thing} {name} a maintenant ?",
        ),
        Story(
            ("litres",),
            "Un réservoir contient {n} {thing}.",
            {
                "gain": ("{name} ajoute {n} {thing}.",),
                "lose": ("{name} utilise {n} {thing}.",),
                "gain_groups": ("{name} ajoute {m} seaux de {n} {thing}.",),
                "lose_groups": ("{name} y remplit {m} bidons de {n} {thing}.",),
            },
            "Combien de {thing} le réservoir contient-il maintenant ?",
        ),
        Story(
            ("caisses", "boîtes"),
            "Un entrepôt contient {n} {thing}.",
            {
                "gain": ("Un camion apporte {n} {thing}.",),
                "lose": ("Un camion emporte {n} {thing}.",),
                "gain_groups": ("{m} camions apportent {n} {thing} chacun.",),
                "lose_groups": ("{m} camions emportent {n} {thing} chacun.",),
                "share": ("Les {thing} vont dans {n} salles égales, et {name} en compte une.",),
            },
            "Combien de {thing} y a-t-il maintenant ?",
        ),
    ),
    working={
        "gain": "De plus",
        "lose": "De moins",
        "groups": "Ensemble",
        "times": "Fois",
        "share": "Chacun",
    },
    answer="Réponse : ",
    drill="Combien font {a} {operator} {b} ?",
    json="Réponds en JSON.",
    colon=" : ",
)
