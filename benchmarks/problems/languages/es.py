"""Spanish stories."""

from benchmarks.problems.story import Language, Story

SPANISH = Language(
    code="es",
    names=(
        *("Lucía", "Sofía", "Paula", "Carmen", "Elena", "Inés", "Marta", "Pilar", "Rocío", "Ana"),
        *("Pablo", "Diego", "Javier", "Luis", "Miguel", "Andrés", "Raúl", "Sergio", "Iván", "Juan"),
    ),
    stories=(
        Story(
            ("canicas", "tarjetas", "conchas"),
            "{name} tiene {n} {thing}.",
            {
                "gain": ("{name} encuentra {n} {thing}.", "Un amigo da {n} {thing} a {name}."),
                "lose": ("{name} pierde {n} {thing}.", "{name} regala {n} {thing}."),
                "gain_groups": ("{name} compra {m} paquetes de {n} {thing}.",),
                "lose_groups": ("{name} da {n} {thing} a cada uno de sus {m} amigos.",),
                "times": ("Luego {name} tiene {n} veces más {thing}.",),
                "share": ("{name} reparte las {thing} en {n} montones iguales y guarda uno.",),
            },
            "¿Cuántas {thing} tiene {name} ahora?",
        ),
        Story(
            ("panes", "pasteles", "bollos"),
            "Una panadería empieza el día con {n} {thing}.",
            {
                "gain": ("{name} prepara {n} {thing} más.",),
                "lose": ("La panadería vende {n} {thing}.",),
                "gain_groups": ("{name} prepara {m} bandejas de {n} {thing}.",),
                "lose_groups": ("{m} clientes compran {n} {thing} cada uno.",),
            },
            "¿Cuántos {thing} quedan?",
        ),
        Story(
            ("libros",),
            "La biblioteca tiene {n} {thing}.",
            {
                "gain": ("{name} devuelve {n} {thing}.", "La ciudad dona {n} {thing}."),
                "lose": ("{name} se lleva {n} {thing}.",),
                "gain_groups": ("Llegan {m} cajas de {n} {thing}.",),
                "lose_groups": ("{m} escuelas se llevan {n} {thing} cada una.",),
                "times": ("Un año después hay {n} veces más {thing}.",),
            },
            "¿Cuántos {thing} tiene la biblioteca ahora?",
        ),
        Story(
            ("manzanas", "peras", "ciruelas"),
            "{name} recoge {n} {thing}.",
            {
                "gain": ("{name} recoge otras {n} {thing}.",),
                "lose": ("{name} vende {n} {thing}.", "{name} come {n} {thing}."),
                "gain_groups": ("{m} árboles dan {n} {thing} cada uno.",),
                "lose_groups": ("{name} vende {m} bolsas de {n} {thing}.",),
                "share": ("{name} pone las {thing} en {n} cestas iguales y guarda una.",),
            },
            "¿Cuántas {thing} le quedan a {name}?",
        ),
        Story(
            ("pasajeros",),
            "Un tren sale con {n} {thing}.",
            {
                "gain": ("Suben {n} {thing}.", "En la siguiente parada suben {n} {thing}."),
                "lose": ("Bajan {n} {thing}.",),
                "gain_groups": ("Suben {m} grupos de {n} {thing}.",),
                "lose_groups": ("Bajan {m} grupos de {n} {thing}.",),
            },
            "¿Cuántos {thing} hay en el tren?",
        ),
        Story(
            ("pesos",),
            "{name} ha ahorrado {n} {thing}.",
            {
                "gain": ("{name} gana {n} {thing}.", "{name} recibe {n} {thing}."),
                "lose": ("{name} gasta {n} {thing}.",),
                "gain_groups": ("{name} trabaja {m} días por {n} {thing} al día.",),
                "lose_groups": ("{name} compra {m} entradas de {n} {thing}.",),
                "times": ("Los ahorros crecen {n} veces.",),
            },
            "¿Cuántos {thing} tiene {name} ahora?",
        ),
        Story(
            ("litros",),
            "Un depósito contiene {n} {thing}.",
            {
                "gain": ("{name} añade {n} {thing}.",),
                "lose": ("{name} usa {n} {thing}.",),
                "gain_groups": ("{name} añade {m} cubos de {n} {thing}.",),
                "lose_groups": ("{name} llena con él {m} bidones de {n} {thing}.",),
            },
            "¿Cuántos {thing} contiene el depósito ahora?",
        ),
        Story(
            ("cajas", "piezas"),
            "Un almacén guarda {n} {thing}.",
            {
                "gain": ("Un camión trae {n} {thing}.",),
                "lose": ("Un camión se lleva {n} {thing}.",),
                "gain_groups": ("{m} camiones traen {n} {thing} cada uno.",),
                "lose_groups": ("{m} camiones se llevan {n} {thing} cada uno.",),
                "share": ("Las {thing} van a {n} salas iguales, y {name} cuenta una sala.",),
            },
            "¿Cuántas {thing} hay ahora?",
        ),
    ),
    working={
        "gain": "Más",
        "lose": "Menos",
        "groups": "Juntos",
        "times": "Veces",
        "share": "Cada uno",
    },
    answer="Respuesta: ",
    drill="¿Cuánto es {a} {operator} {b}?",
    json="Responde en JSON.",
)
